package apic

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
)

// DataPlane is what an instance's control plane asks of what serves its APIs. It
// is safe for concurrent use.
type DataPlane interface {
	// Test makes a test call of an API as a caller would (4.3.8). An answer that
	// is an error, and a backend that fails, are answers; the error is for a call
	// that could not be made.
	Test(ctx context.Context, call TestCall) (Tested, error)
	// Flush records what was counted until it began, by
	// [Snapshot.RecordTraffic].
	Flush(ctx context.Context) error
}

// TestCall is a test call of an API, checked.
type TestCall struct {
	APIID string
	// Draft asks for the API's draft; otherwise it is what is online in the
	// environment Stage, "" for RELEASE.
	Draft bool
	Stage string
	// Caller is who makes it.
	Caller iam.Principal

	HTTPS         bool
	Method, Host  string
	Path          string // encoded
	Header, Query map[string][]string
	Body          string
	// Key and Secret are an application's, to sign the call with. Empty ones do
	// not.
	Key, Secret string
	// MaxBody is how many bytes of the answer's body are kept.
	MaxBody int
}

// Tested is what came of a test call.
type Tested struct {
	Request  string // as it was sent: the text of HTTP/1.1
	Response string // as it was answered, its body cut after TestCall.MaxBody
	// Cut is set when it was.
	Cut     bool
	Latency time.Duration
	// Trace says stage by stage what was decided and why. It is for whoever may
	// look at the API.
	Trace string
}

// dataPlanes are those of this process.
type dataPlanes struct {
	mu sync.RWMutex
	of map[core.Scope][]*attachedPlane
}

type attachedPlane struct{ DataPlane }

// Attach tells the control plane of a data plane of the instance in this
// process, until detach is called. Of several the last one attached makes test
// calls. It is for the data plane.
func (n Snapshot) Attach(p DataPlane) (detach func()) {
	all, one := &of(n.sys).dataPlanes, &attachedPlane{p}
	scope := n.scope // and not n below: who keeps a state keeps all newer ones
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.of == nil {
		all.of = map[core.Scope][]*attachedPlane{}
	}
	all.of[scope] = append(slices.Clip(all.of[scope]), one)
	return func() {
		all.mu.Lock()
		defer all.mu.Unlock()
		rest := slices.DeleteFunc(slices.Clone(all.of[scope]), func(p *attachedPlane) bool { return p == one })
		if all.of[scope] = rest; len(rest) == 0 {
			delete(all.of, scope)
		}
	}
}

// at are those of an instance, in the order in which they were attached. The
// slice is not to be changed.
func (d *dataPlanes) at(scope core.Scope) []*attachedPlane {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.of[scope]
}
