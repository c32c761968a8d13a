package rbac

import "sync/atomic"

// Backlinks lead from one number to others against the direction in which the
// rules are kept: from a role to those who may hold it, from a container to
// what may be in it. They are hints and need no versions: every link that any
// sharing snapshot has is there, with some that are gone or come later, and
// perhaps twice. Who follows one asks his snapshot whether it holds. So a
// change adds a link in a few nanoseconds and takes none away; when most are
// stale the next snapshot gets new ones.
//
// One goroutine at a time adds, any number follow.
type backlinks struct {
	heads atomic.Pointer[[]*[stackPage]atomic.Uint32] // by number: index+1 of the first link
	links stack[link]
}

type link struct {
	to   uint32
	next uint32 // index+1, 0 at the end
}

// add puts a link before the others of its number.
func (b *backlinks) add(from, to uint32) {
	var heads []*[stackPage]atomic.Uint32
	if p := b.heads.Load(); p != nil {
		heads = *p
	}
	if int(from) >= len(heads)*stackPage {
		for int(from) >= len(heads)*stackPage {
			heads = append(heads, new([stackPage]atomic.Uint32))
		}
		b.heads.Store(&heads)
	}
	head := &heads[from/stackPage][from%stackPage]
	b.links.push(link{to, head.Load()})
	head.Store(uint32(b.links.len()))
}

// from yields where the links of a number lead.
func (b *backlinks) from(from uint32) func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		p := b.heads.Load()
		if p == nil || int(from) >= len(*p)*stackPage {
			return
		}
		for i := (*p)[from/stackPage][from%stackPage].Load(); i != 0; {
			l := b.links.at(int(i) - 1)
			if !yield(l.to) {
				return
			}
			i = l.next
		}
	}
}
