package apic

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/storage"
)

// What can be done with an API in an environment.
const (
	Online  = "online"
	Offline = "offline"
)

// Publish is what is to be done with an API in an environment.
type Publish struct {
	Action string `json:"action"` // online, offline
	APIID  string `json:"api_id"`
	EnvID  string `json:"env_id"`
	Remark string `json:"remark"`
}

// Publication is an API in an environment.
type Publication struct {
	PublishID string    `json:"publish_id"`
	APIID     string    `json:"api_id"`
	APIName   string    `json:"api_name"`
	EnvID     string    `json:"env_id"`
	Remark    string    `json:"remark,omitempty"`
	Published time.Time `json:"publish_time"`
	VersionID string    `json:"version_id"`
}

// Publish puts an API online or takes it offline (4.3.4).
func (c Control) Publish(ctx context.Context, in Publish) (Publication, error) {
	k := check.Body()
	k.Enum("action", in.Action, Online, Offline)
	k.ID("api_id", in.APIID)
	k.ID("env_id", in.EnvID)
	if k.Err() != nil {
		return Publication{}, k.Err()
	}
	return write(ctx, c, func(w storage.Writer) (Publication, error) {
		api, err := c.sys.drafts.Load(w, c.Scope, in.APIID)
		if err != nil {
			return Publication{}, err
		}
		if _, err := c.sys.envs.Load(w, c.Scope, in.EnvID); err != nil {
			return Publication{}, err
		}
		row, err := c.sys.pubOf.Get(w, c.Scope.Key(in.APIID, in.EnvID))
		if errors.Is(err, table.ErrNotFound) {
			row, err = publicationRow{Scope: c.Scope, ID: id.Hex(), API: in.APIID, Env: in.EnvID, Created: c.Now()}, nil
		}
		if err != nil {
			return Publication{}, err
		}
		row.Published, row.Remark, row.Version = c.Now(), in.Remark, id.Hex()
		if in.Action == Offline {
			row.Version = ""
		}
		return Publication{row.ID, api.ID, api.Name, row.Env, row.Remark, row.Published, row.Version}, c.sys.pubs.Table.Put(w, row)
	})
}
