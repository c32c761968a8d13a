package apic

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/storage"
)

// What can be done with an API in an environment.
const (
	Online  = "online"
	Offline = "offline"
)

// Publish is what is to be done with an API in an environment (4.3.4).
type Publish struct {
	Action string `json:"action"` // online, offline
	APIID  string `json:"api_id"`
	EnvID  string `json:"env_id"`
	Remark string `json:"remark"` // up to 255 characters
}

// PublishMany is Publish for many APIs (4.3.7).
type PublishMany struct {
	APIs   []string `json:"apis"`
	EnvID  string   `json:"env_id"`
	Remark string   `json:"remark"`
}

// Publication is an API in an environment. After going offline it shows what
// was online before.
type Publication struct {
	PublishID string    `json:"publish_id"`
	APIID     string    `json:"api_id"`
	APIName   string    `json:"api_name"`
	EnvID     string    `json:"env_id"`
	Remark    string    `json:"remark,omitempty"`
	Published time.Time `json:"publish_time"`
	VersionID string    `json:"version_id"`
}

// PublishedMany is the outcome of a PublishMany, some of which may have failed.
type PublishedMany struct {
	Success []Publication   `json:"success"`
	Failure []PublishFailed `json:"failure"`
}

// PublishFailed is an API that failed, and why.
type PublishFailed struct {
	APIID   string     `json:"api_id"`
	APIName string     `json:"api_name,omitempty"`
	Code    fault.Code `json:"error_code"`
	Message string     `json:"error_msg"`
}

// Switch names the version that is to be effective (4.3.9).
type Switch struct {
	VersionID string `json:"version_id"`
}

// Publish puts an API online, as one more version of its draft, or takes it
// offline (4.3.4). The document is silent on taking offline what is not online:
// APIG.3015.
func (c Control) Publish(ctx context.Context, in Publish) (Publication, error) {
	k := check.Body()
	k.Enum("action", in.Action, Online, Offline)
	k.ID("api_id", in.APIID)
	k.ID("env_id", in.EnvID)
	k.AtMost("remark", in.Remark, 255)
	if k.Err() != nil {
		return Publication{}, k.Err()
	}
	return write(ctx, c, func(w storage.Writer) (Publication, error) {
		api, err := c.publishable(w, in.APIID)
		if err != nil {
			return Publication{}, err
		}
		if _, err := of(c.sys).envs.Load(w, c.Scope, in.EnvID); err != nil {
			return Publication{}, err
		}
		return c.publish(w, &api, in)
	})
}

// PublishMany is Publish for many APIs in one transaction, in which each fails
// alone (4.3.7).
func (c Control) PublishMany(ctx context.Context, action string, in PublishMany) (PublishedMany, error) {
	if err := check.Action(action, Online, Offline); err != nil {
		return PublishedMany{}, err
	}
	k := check.Body()
	k.Required("apis", len(in.APIs) > 0)
	k.ID("env_id", in.EnvID)
	k.AtMost("remark", in.Remark, 255)
	if k.Err() != nil {
		return PublishedMany{}, k.Err()
	}
	return write(ctx, c, func(w storage.Writer) (PublishedMany, error) {
		out := PublishedMany{Success: []Publication{}, Failure: []PublishFailed{}}
		if _, err := of(c.sys).envs.Load(w, c.Scope, in.EnvID); err != nil {
			return out, err
		}
		for _, id := range in.APIs {
			api, err := c.publishable(w, id)
			if errors.Is(err, fault.Of("APIG.3002")) {
				err = fault.Of("APIG.3002").Saying("Api %s not found", id)
			}
			var p Publication
			if err == nil {
				p, err = c.publish(w, &api, Publish{action, id, in.EnvID, in.Remark})
			}
			if e, ours := errors.AsType[*fault.Error](err); ours && e.Status < 500 {
				out.Failure = append(out.Failure, PublishFailed{id, api.Name, e.Code, e.Message})
				continue
			}
			if err != nil {
				return out, err
			}
			out.Success = append(out.Success, p)
		}
		return out, nil
	})
}

// publishable is an API whose publication the caller may change.
func (c Control) publishable(w storage.Writer, id string) (apiRow, error) {
	api, err := of(c.sys).drafts.Load(w, c.Scope, id)
	if err == nil {
		_, err = c.permit(w, api.AppID, core.RoleModify)
	}
	return api, err
}

// publish puts an API online or takes it offline. When it fails it has written
// nothing.
func (c Control) publish(w storage.Writer, api *apiRow, in Publish) (Publication, error) {
	p, err := of(c.sys).pubOf.Get(w, c.Scope.Key(in.APIID, in.EnvID))
	if errors.Is(err, table.ErrNotFound) {
		p, err = publicationRow{Scope: c.Scope, ID: id.Hex(), API: in.APIID, Env: in.EnvID, Created: c.Now()}, nil
	}
	if err != nil {
		return Publication{}, err
	}
	if in.Action == Offline {
		if !p.live() {
			return Publication{}, of(c.sys).pubs.Missing(p.ID)
		}
		was := Publication{p.ID, api.ID, api.Name, p.Env, p.Remark, p.Published, p.Version}
		p.offline()
		return was, of(c.sys).pubs.Put(w, p)
	}
	v := versionRow{
		Scope: c.Scope, ID: id.Hex(), Publication: p.ID, API: api.ID, Env: in.EnvID, Remark: in.Remark,
		Published: c.Now(), Registered: api.Registered, Updated: api.Updated, Spec: api.APISpec,
	}
	p.Remark, p.Published = in.Remark, v.Published
	if err := c.makeEffective(w, &p, &v); err != nil {
		return Publication{}, err
	}
	if err := of(c.sys).versionRows.Insert(w, v); err != nil {
		return Publication{}, err
	}
	if err := c.dropOldest(w, &p); err != nil {
		return Publication{}, err
	}
	return Publication{p.ID, api.ID, api.Name, p.Env, p.Remark, p.Published, v.ID}, nil
}

// makeEffective resolves the variables of v and writes the publication with v
// as its effective version; v is not written. Another API that is online with
// the same method, path, mode and group is APIG.3301.
func (c Control) makeEffective(w storage.Writer, p *publicationRow, v *versionRow) error {
	values, err := c.resolve(w, &v.Spec, p.Env, nil)
	if err != nil {
		return err
	}
	v.Values = values
	p.Version, p.Group, p.Path = v.ID, v.Spec.GroupID, v.Spec.pathSlot()
	p.Variables, p.Channels = v.Spec.addressVariables(), v.Spec.channels()
	return of(c.sys).pubs.Put(w, *p)
}

// dropOldest keeps the history of an API in an environment within its limit:
// the oldest version that is not effective goes. The document is silent on
// which.
func (c Control) dropOldest(w storage.Writer, p *publicationRow) error {
	most := of(c.sys).limit(VersionLimit)
	if most == 0 {
		return nil
	}
	var keys []table.Key
	for key, err := range of(c.sys).versionsOf.Prefix(c.Scope.Key(p.ID)).Keys(w) {
		if err != nil {
			return err
		}
		keys = append(keys, key)
	}
	for i := 0; len(keys) > most && i < len(keys); {
		if keys[i] == c.Scope.Key(p.Version) {
			i++
			continue
		}
		if err := of(c.sys).versionRows.Table.Delete(w, keys[i]); err != nil {
			return err
		}
		keys = slices.Delete(keys, i, i+1)
	}
	return nil
}

// SwitchVersion makes another kept version of an API effective, in the
// environment it was published in (4.3.9). The document is silent on an API
// that is offline there, which goes online, and on its variables, which get
// their values of now.
func (c Control) SwitchVersion(ctx context.Context, id string, in Switch) (Publication, error) {
	return write(ctx, c, func(w storage.Writer) (Publication, error) {
		api, err := c.publishable(w, id)
		if err != nil {
			return Publication{}, err
		}
		k := check.Body()
		k.ID("version_id", in.VersionID)
		if k.Err() != nil {
			return Publication{}, k.Err()
		}
		v, err := of(c.sys).versionRows.Load(w, c.Scope, in.VersionID)
		if err == nil && v.API != id {
			err = of(c.sys).versionRows.Missing(in.VersionID)
		}
		if err != nil {
			return Publication{}, err
		}
		p, err := of(c.sys).pubs.Load(w, c.Scope, v.Publication)
		if err != nil {
			return Publication{}, err
		}
		if err := c.makeEffective(w, &p, &v); err != nil {
			return Publication{}, err
		}
		return Publication{p.ID, id, api.Name, p.Env, v.Remark, v.Published, v.ID}, of(c.sys).versionRows.Put(w, v)
	})
}

// resolve returns the values that the variables in the backends of a definition
// have in an environment. One that has none keeps the one it had before, and
// without that is APIG.3011.
func (c Control) resolve(w storage.Writer, in *APISpec, env string, before map[string]string) (map[string]string, error) {
	var values map[string]string
	for t := range in.targets() {
		for _, text := range []string{t.Domain, t.URI} {
			for _, name := range variablesIn(text) {
				v, err := of(c.sys).variableOf.Get(w, c.Scope.Key(in.GroupID, env, name))
				if errors.Is(err, table.ErrNotFound) {
					var known bool
					if v.Value, known = before[name]; !known {
						return nil, fault.NotFound("APIG.3011", name)
					}
					err = nil
				}
				if err != nil {
					return nil, err
				}
				if values == nil {
					values = map[string]string{}
				}
				values[name] = v.Value
			}
		}
	}
	return values, nil
}

// variablesIn are the names of the variables that a text uses: #name#. A lone
// # is itself.
func variablesIn(text string) []string {
	if strings.Count(text, "#") < 2 {
		return nil
	}
	var names []string
	for _, m := range variableUse.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

// substitute replaces the variables in a text by their values.
func substitute(text string, values map[string]string) string {
	if len(values) == 0 {
		return text
	}
	return variableUse.ReplaceAllStringFunc(text, func(use string) string {
		if v, known := values[strings.Trim(use, "#")]; known {
			return v
		}
		return use
	})
}

// addressVariables are the variables in the addresses of the backends, each
// once, sorted.
func (in *APISpec) addressVariables() []string {
	names := map[string]bool{}
	for t := range in.targets() {
		for _, name := range variablesIn(t.Domain) {
			names[name] = true
		}
	}
	return sortedKeys(names)
}

// channels are the VPC channels of the backends, each once, sorted.
func (in *APISpec) channels() []string {
	ids := map[string]bool{}
	for t := range in.targets() {
		if t.UseChannel == 1 && t.Channel != nil {
			ids[t.Channel.ID] = true
		}
	}
	return sortedKeys(ids)
}

func sortedKeys(m map[string]bool) []string {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}

// resolved is the definition with the variables in its backends replaced.
func (v *versionRow) resolved() APISpec {
	spec := v.Spec.Clone()
	for t := range spec.targets() {
		t.Domain, t.URI = substitute(t.Domain, v.Values), substitute(t.URI, v.Values)
	}
	return spec
}
