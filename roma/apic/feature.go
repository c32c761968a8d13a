package apic

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Feature is a feature of an instance (4.22).
type Feature struct {
	ID       string      `json:"id"`
	Name     FeatureName `json:"name"`
	Enable   bool        `json:"enable"`
	Config   string      `json:"config"` // on, off, a number, or the text of a JSON object
	Instance string      `json:"instance_id"`
	Updated  time.Time   `json:"update_time"`
}

// FeatureSpec is what a caller says of a feature.
type FeatureSpec struct {
	Name   FeatureName `json:"name"`
	Enable *bool       `json:"enable"`
	// Config is what 7.5 has for the feature. The document is silent on one
	// that is not given: it stays as it was.
	Config string `json:"config"`
}

// FeatureQuery is a list of features.
type FeatureQuery struct {
	list.Paging
}

type featureRow struct {
	Scope   core.Scope
	ID      string
	Name    FeatureName
	Enable  bool
	Config  string
	Updated time.Time

	value any // what Config says
}

// UnmarshalJSON reads the config as well, once for all who ask.
func (f *featureRow) UnmarshalJSON(text []byte) error {
	type stored featureRow
	if err := json.Unmarshal(text, (*stored)(f)); err != nil {
		return err
	}
	f.configure(f.Config)
	return nil
}

// configure sets the config. One that cannot be read, as by an older version,
// counts as the defaults.
func (f *featureRow) configure(config string) {
	f.Config, f.value = config, nil
	if k := kindOf(f.Name); k != nil && k.settable() {
		if v, err := k.read(config); err == nil {
			f.value = v
		}
	}
}

type features struct {
	featureRows   *core.Resource[featureRow]
	featureNamed  *table.Unique[featureRow]
	featureByName *mirror.Order[featureRow]
	featureByTime *mirror.Order[featureRow] // last changed first
}

func declareFeatures(c *core.Core) features {
	x := core.Declare(c, "feature", "APIG.3087", func(f *featureRow) table.Key { return f.Scope.Key(f.ID) })
	return features{
		featureRows:   x,
		featureNamed:  x.Unique("name", "APIG.3309", func(f *featureRow) table.Key { return f.Scope.Key(string(f.Name)) }),
		featureByName: x.Order(func(f *featureRow) table.Key { return table.Str(f.Name) }),
		featureByTime: x.Order(func(f *featureRow) table.Key {
			rank := slices.IndexFunc(featureKinds, func(k featureKind) bool { return k.name() == f.Name })
			return table.Desc(table.Time(f.Updated)) + table.Int(rank)
		}),
	}
}

// provisionFeatures gives a new instance a record of each feature, with the
// defaults of 7.5.
func (s *system) provisionFeatures(w storage.Writer, scope core.Scope) error {
	now := s.core.Now()
	for _, kind := range featureKinds {
		row := featureRow{Scope: scope, ID: id.Hex(), Name: kind.name(), Config: kind.standard(), Updated: now}
		if err := s.featureRows.Insert(w, row); err != nil {
			return err
		}
	}
	return nil
}

// feature returns the record of a feature, nil when there is none yet.
func (s *system) feature(st *mirror.State, scope core.Scope, name FeatureName) *featureRow {
	row, _ := s.featureByName.Prefix(st, scope.Key(), table.Str(name)).First()
	return row
}

// on reports whether a feature is on in an instance: enabled, and its switch
// on if it has one.
func (s *system) on(st *mirror.State, scope core.Scope, name FeatureName) bool {
	return s.isOn(kindOf(name), s.feature(st, scope, name))
}

func (s *system) isOn(k featureKind, row *featureRow) bool {
	switch {
	case k == nil:
		return false
	case !k.settable():
		has, said := s.config.Features[k.name()]
		return has || !said
	}
	return row != nil && row.Enable && k.switchedOn(row.value)
}

// requires refuses with APIG.3458 what needs a feature that is not on.
func (c Control) requires(w storage.Writer, name FeatureName) error {
	row, err := c.relied(w, name)
	if err == nil && !of(c.sys).isOn(kindOf(name), row) {
		err = fault.Of("APIG.3458").With("%s is not on", name)
	}
	return err
}

// relied is the record of a feature, nil when there is none, for a transaction
// that goes by it: a change of features at the same time, in whatever process,
// comes wholly before it or after. It is shared.
func (c Control) relied(w storage.Writer, name FeatureName) (*featureRow, error) {
	kind := kindOf(name)
	if !kind.settable() {
		return nil, nil
	}
	if st, known := c.Known(w); known {
		return of(c.sys).feature(st, c.Scope, name), of(c.sys).featureRows.Table.Prefix(c.Scope.Key()).Depend(w)
	}
	row, err := c.loadFeature(w, kind)
	return &row, err
}

const maxFeatureConfig = 1 << 16 // the document is silent

// SetFeature sets a feature of the instance (4.22.2), which keeps its id.
func (c Control) SetFeature(ctx context.Context, in FeatureSpec) (Feature, error) {
	k := check.Body()
	k.Required("name", in.Name != "")
	k.Length("name", string(in.Name), 1, 64)
	if k.Err() != nil {
		return Feature{}, k.Err()
	}
	kind := kindOf(in.Name)
	switch {
	case kind != nil:
	case unsupportedFeatures[in.Name]:
		return Feature{}, fault.Of("APIG.3458").Naming("name", string(in.Name))
	default:
		return Feature{}, fault.Of("APIG.2000").Saying("unrecognized feature %s", in.Name).Naming("name", string(in.Name))
	}
	if !kind.settable() {
		return Feature{}, fault.Of("APIG.1140").Naming("name", string(in.Name))
	}
	k.Required("enable", in.Enable != nil)
	k.Length("config", in.Config, 0, maxFeatureConfig)
	if k.Err() != nil {
		return Feature{}, k.Err()
	}
	if in.Config != "" {
		if _, err := kind.read(in.Config); err != nil {
			return Feature{}, fault.Of("APIG.2000").Saying("config of %s: %v", in.Name, err).Naming("config", "")
		}
	}
	row, err := write(ctx, c, func(w storage.Writer) (featureRow, error) {
		row, err := c.loadFeature(w, kind)
		if err != nil {
			return row, err
		}
		row.Enable, row.Updated = *in.Enable, c.Now()
		if in.Config != "" {
			row.configure(in.Config)
		}
		if err := c.excluded(w, kind, &row); err != nil {
			return row, err
		}
		return row, of(c.sys).featureRows.Put(w, row)
	})
	if err != nil {
		return Feature{}, err
	}
	return c.showFeature(&row), nil
}

// loadFeature is the record of a feature, a new one when there is none.
func (c Control) loadFeature(r storage.Reader, kind featureKind) (featureRow, error) {
	row, err := of(c.sys).featureNamed.Get(r, c.Scope.Key(string(kind.name())))
	if errors.Is(err, table.ErrNotFound) {
		row = featureRow{Scope: c.Scope, ID: id.Hex(), Name: kind.name()}
		row.configure(kind.standard())
		return row, nil
	}
	return row, fault.From(err)
}

// excluded refuses to turn on one of app_secret and app_api_key while the other
// is: a call could not tell which of them it carries.
func (c Control) excluded(r storage.Reader, kind featureKind, row *featureRow) error {
	pair := map[FeatureName]FeatureName{FeatureAppSecret: FeatureAppAPIKey, FeatureAppAPIKey: FeatureAppSecret}
	other, paired := pair[row.Name]
	if !paired || !of(c.sys).isOn(kind, row) {
		return nil
	}
	against, err := c.loadFeature(r, kindOf(other))
	if err == nil && of(c.sys).isOn(kindOf(other), &against) {
		err = fault.Of("APIG.2000").Saying("%s cannot be on together with %s", row.Name, other).Naming("name", string(row.Name))
	}
	return err
}

// Features lists the features, those changed last first (4.22.1).
func (c Control) Features(_ context.Context, q FeatureQuery) (list.Page[Feature], error) {
	st, err := c.Read()
	if err != nil {
		return list.Page[Feature]{}, err
	}
	k := check.Query()
	window := k.Page(q.Paging)
	if k.Err() != nil {
		return list.Page[Feature]{}, k.Err()
	}
	page := of(c.sys).featureByTime.In(st, c.Scope.Key()).Page(window)
	return list.Of(page.Rows, page.Total, c.showFeature), nil
}

func (c Control) showFeature(f *featureRow) Feature {
	enable := f.Enable
	if k := kindOf(f.Name); k != nil && !k.settable() {
		enable = of(c.sys).isOn(k, f)
	}
	return Feature{ID: f.ID, Name: f.Name, Enable: enable, Config: f.Config, Instance: c.InstanceID, Updated: f.Updated}
}
