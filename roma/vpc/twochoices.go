package vpc

import (
	"math"
	"math/bits"
)

// twoChoices compares two members drawn at random (Mitzenmacher, 2001): the
// largest load stays within a few requests of the mean, without a structure
// that all picks would share.
type twoChoices struct {
	members []*member
	weights []int64
	draw    func() uint64
	latency bool
}

func (t *twoChoices) pick(*table, string) (*member, *counter) {
	m := t.choose()
	m.choice.Add(1)
	return m, m.choice
}

func (t *twoChoices) peek(*table, string) *member { return t.choose() }

func (t *twoChoices) choose() *member {
	n := uint64(len(t.members))
	if n == 1 {
		return t.members[0]
	}
	// Two different members from one draw: the second is drawn among the
	// others, by its distance from the first.
	r := t.draw()
	i, _ := bits.Mul64(r<<32, n)
	d, _ := bits.Mul64(r&(math.MaxUint32<<32), n-1)
	j := i + 1 + d
	if j >= n {
		j -= n
	}
	if t.heavier(i, j) {
		i = j
	}
	return t.members[i]
}

// heavier reports whether member i, with this request, would carry more per
// weight than member j.
func (t *twoChoices) heavier(i, j uint64) bool {
	a, b := t.members[i], t.members[j]
	la := (a.choice.Load() + 1) * t.weights[j]
	lb := (b.choice.Load() + 1) * t.weights[i]
	if !t.latency {
		return la > lb
	}
	// A member not measured yet has latency 0 and is tried at once; one that
	// is measured never has, however quick.
	return float64(la)*math.Float64frombits(a.latency.Load()) > float64(lb)*math.Float64frombits(b.latency.Load())
}

func (*twoChoices) save() {}
