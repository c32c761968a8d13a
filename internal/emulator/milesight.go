package emulator

import (
	"net/http"

	"github.com/gatehouse-go/gatehouse/milesight"
	msrest "github.com/gatehouse-go/gatehouse/milesight/rest"
)

// openMilesight opens the system, which has no user on an empty store: the first
// registers. Its paths have no prefix of their own, so it is what answers where
// no other surface does.
func (e *Emulator) openMilesight(s *systems) (_ http.Handler, err error) {
	s.milesight, err = milesight.New(e.store, milesight.Config{
		Clock: e.clock.now, Logger: e.config.Logger,
		Hasher: milesight.PBKDF2{Iterations: 1000}, // passwords here guard nothing
	})
	if err != nil {
		return nil, err
	}
	return msrest.New(s.milesight, msrest.Options{Logger: e.config.Logger})
}
