package emulator

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-go/gatehouse/thinkingdata"
	tarest "github.com/gatehouse-go/gatehouse/thinkingdata/rest"
)

// What ThinkingData's system has at start. Its API makes neither projects nor
// supervisors.
const (
	taProjects   = 3
	taSupervisor = "root"
)

// openThinkingData opens the system with its tokens, projects 1 to 3 and the
// supervisor root, whose number is 1 on an empty store.
func (e *Emulator) openThinkingData(ctx context.Context, s *systems) (http.Handler, error) {
	project, token, err := e.config.TA.projectToken()
	if err != nil {
		return nil, err
	}
	s.thinkingdata, err = thinkingdata.New(e.store, thinkingdata.Config{
		Clock: e.clock.now, Logger: e.config.Logger,
		Hasher: thinkingdata.PBKDF2{Iterations: 1000}, // passwords here guard nothing
	})
	if err != nil {
		return nil, err
	}
	for n := range taProjects {
		if _, err := s.thinkingdata.AddProject(ctx, thinkingdata.ProjectID(n+1), fmt.Sprintf("project %d", n+1)); err != nil {
			return nil, err
		}
	}
	if _, err := s.thinkingdata.AddUser(ctx, thinkingdata.NewUser{LoginName: taSupervisor, Supervisor: true}); err != nil {
		return nil, err
	}
	if err := s.thinkingdata.SetCorporateToken(ctx, e.config.TA.CorporateToken); err != nil {
		return nil, err
	}
	if err := s.thinkingdata.SetProjectToken(ctx, project, token); err != nil {
		return nil, err
	}
	return tarest.New(s.thinkingdata, tarest.Options{Logger: e.config.Logger})
}

// projectToken takes PROJECT:TOKEN apart. Its error leaves the token out.
func (ta TA) projectToken() (thinkingdata.ProjectID, string, error) {
	project, token, found := strings.Cut(ta.ProjectToken, ":")
	id, err := strconv.ParseInt(project, 10, 64)
	if !found || err != nil {
		return 0, "", fmt.Errorf("emulator: the ThinkingData project token is not of the form PROJECT:TOKEN")
	}
	return thinkingdata.ProjectID(id), token, nil
}

// canSee tells whether a dashboard of the project that is shared with all
// members reaches the user. Nobody sees what is not there.
func (e *Emulator) canSee(_ context.Context, in struct {
	Project   thinkingdata.ProjectID `query:"projectId" bind:"required"`
	LoginName string                 `query:"loginName" bind:"required"`
}) (visible, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return visible{e.systems.thinkingdata.CanSee(in.Project, in.LoginName).Allowed}, nil
}

type visible struct {
	Visible bool `json:"visible"`
}
