package rest

import (
	"context"

	"github.com/gatehouse-go/gatehouse/agora"
	"github.com/gatehouse-go/gatehouse/internal/surface"
)

// The project calls ("Dashboard RESTful API", section 3).
var projectCalls = surface.Under("", []surface.Operation{
	surface.Op("GET /projects", listProjects),
	surface.Op("GET /project", findProjects),
	surface.Op("POST /project", createProject),
	surface.Op("POST /project_status", setStatus),
	surface.Op("DELETE /project", deleteProject),
	surface.Op("POST /recording_config", setRecordingServer),
	surface.Op("POST /signkey", enableSignKey),
	surface.Op("POST /reset_signkey", resetSignKey),
}, surface.Answering(envelope{"error_msg"}))

type project struct {
	ID              agora.ProjectID `json:"id"`
	Name            string          `json:"name"`
	VendorKey       agora.AppID     `json:"vendor_key"`
	SignKey         string          `json:"sign_key"`
	RecordingServer string          `json:"recording_server"`
	Status          agora.Status    `json:"status"`
	Created         int64           `json:"created"` // Unix seconds
}

func newProject(p agora.Project) project {
	return project{p.ID, p.Name, p.AppID, p.SignKey, p.RecordingServer, p.Status, p.Created.Unix()}
}

// oneProject and manyProjects are how the calls answer: GET with an array even
// for one project, the others with an object.
type oneProject struct {
	Project project `json:"project"`
}

type manyProjects struct {
	Projects []project `json:"projects"`
}

func newProjects(list []agora.Project, err error) (manyProjects, error) {
	answer := manyProjects{Projects: make([]project, len(list))}
	for i, p := range list {
		answer.Projects[i] = newProject(p)
	}
	return answer, err
}

func listProjects(ctx context.Context, _ surface.None) (manyProjects, error) {
	return newProjects(account(ctx).Projects(ctx))
}

func findProjects(ctx context.Context, in struct {
	ID   agora.ProjectID `query:"id" json:"id"`
	Name string          `query:"name" json:"name"`
}) (manyProjects, error) {
	return newProjects(account(ctx).FindProjects(ctx, in.ID, in.Name))
}

func createProject(ctx context.Context, in struct {
	Name          string `json:"name" bind:"required"`
	EnableSignKey bool   `json:"enable_sign_key"`
}) (oneProject, error) {
	p, err := account(ctx).CreateProject(ctx, agora.NewProject{Name: in.Name, EnableSignKey: in.EnableSignKey})
	return oneProject{newProject(p)}, err
}

func setStatus(ctx context.Context, in struct {
	ID     agora.ProjectID `json:"id" bind:"required"`
	Status agora.Status    `json:"status" bind:"required"`
}) (oneProject, error) {
	p, err := account(ctx).SetStatus(ctx, in.ID, in.Status)
	return oneProject{newProject(p)}, err
}

// projectID is the input of the calls that name a project and nothing else.
type projectID struct {
	ID agora.ProjectID `json:"id" bind:"required"`
}

// deleteProject takes the id from the query as well, as deleteRule does: not all
// clients send a body with DELETE.
func deleteProject(ctx context.Context, in struct {
	ID agora.ProjectID `query:"id" json:"id" bind:"required"`
}) (done, error) {
	return done{true}, account(ctx).DeleteProject(ctx, in.ID)
}

func setRecordingServer(ctx context.Context, in struct {
	ID              agora.ProjectID `json:"id" bind:"required"`
	RecordingServer string          `json:"recording_server" bind:"required"`
}) (done, error) {
	_, err := account(ctx).SetRecordingServer(ctx, in.ID, in.RecordingServer)
	return done{true}, err
}

func enableSignKey(ctx context.Context, in struct {
	ID     agora.ProjectID `json:"id" bind:"required"`
	Enable bool            `json:"enable" bind:"required"`
}) (done, error) {
	_, err := account(ctx).EnableSignKey(ctx, in.ID, in.Enable)
	return done{true}, err
}

func resetSignKey(ctx context.Context, in projectID) (done, error) {
	_, err := account(ctx).ResetSignKey(ctx, in.ID)
	return done{true}, err
}
