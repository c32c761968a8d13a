package apic

import (
	"context"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// TagQuery is a list of tags.
type TagQuery struct {
	list.Paging
}

type tags struct {
	apisTagged *table.Index[apiRow] // by tag
}

func declareTags(s *system) tags {
	return tags{s.drafts.Table.Multi("tag", func(a *apiRow) []table.Key {
		var keys []table.Key
		for _, tag := range a.Tags {
			keys = append(keys, a.Scope.Key(tag))
		}
		return keys
	})}
}

// Tags lists the tags of the instance's APIs, each once, sorted (4.23.1). A tag
// is gone with the last API that has it.
func (c Control) Tags(ctx context.Context, q TagQuery) (list.Page[string], error) {
	st, err := c.Read()
	if err != nil {
		return list.Page[string]{}, err
	}
	k := check.Query()
	window := k.Page(q.Paging)
	if k.Err() != nil {
		return list.Page[string]{}, k.Err()
	}
	out := list.Page[string]{Rows: []string{}}
	hidden := c.hides(st)
	err = c.View(ctx, func(r storage.Reader) error {
		for key, err := range of(c.sys).apisTagged.Values(r, c.Scope.Key()) {
			if err != nil {
				return err
			}
			if hidden != nil {
				if seen, err := c.anySeen(st, r, key, hidden); err != nil || !seen {
					if err != nil {
						return err
					}
					continue
				}
			}
			if out.Total >= window.Offset && len(out.Rows) < window.Limit {
				out.Rows = append(out.Rows, key.Rest().Str())
			}
			out.Total++
		}
		return nil
	})
	return out, fault.From(err)
}

// anySeen reports whether an API of the tag belongs to an application that is
// not hidden.
func (c Control) anySeen(st *mirror.State, r storage.Reader, tag table.Key, hidden func(string) bool) (bool, error) {
	for key, err := range of(c.sys).apisTagged.Prefix(tag).Keys(r) {
		if err != nil {
			return false, err
		}
		if api, found := of(c.sys).drafts.Mirror.Get(st, key); found && !hidden(api.AppID) {
			return true, nil
		}
	}
	return false, nil
}
