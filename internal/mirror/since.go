package mirror

import "github.com/gatehouse-go/gatehouse/internal/table"

// Changed reports whether rows may have changed from an older state to a newer
// one.
func (m *Mirror[T]) Changed(before, after *State) bool { return m.base.changed(before, after) }

func (m *base) changed(before, after *State) bool { return before.parts[m.slot] != after.parts[m.slot] }

// Since returns the keys of the rows that changed from an older state to a newer
// one, in the order of the commits, each as often as it changed. known is false
// when that cannot be told: the rows were read anew from the store in between,
// or after is not newer. It costs a look at each commit in between.
//
// Who keeps a state keeps all newer ones in memory, too, so a state that is kept
// to be asked about later should be replaced by a newer one soon.
func (m *Mirror[T]) Since(before, after *State) (keys []table.Key, known bool) {
	return m.base.since(before, after)
}

func (m *base) since(before, after *State) (keys []table.Key, known bool) {
	for st := before; st != after; {
		next := st.Newer()
		if next == nil {
			return nil, false
		}
		if m.changed(st, next) {
			now := next.parts[m.slot]
			if now.changed == nil {
				return nil, false
			}
			keys = append(keys, now.changed...)
		}
		st = next
	}
	return keys, true
}
