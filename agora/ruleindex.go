package agora

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/gatehouse-go/gatehouse"
)

// ruleIndex finds the rules of one app that match an attempt. Rules with the
// same selectors stand together under a hash of these, and an attempt has at
// most seven such hashes, one for each combination of selectors that some rule
// uses: what a judgement costs depends on that number and not on the number of
// rules.
//
// Readers take no lock. The writers, one at a time, publish each change with
// one atomic store; the table they share is in slottable.go.
type ruleIndex struct {
	seed  maphash.Seed
	salt  [4]uint64                 // secret, so that who chooses uids cannot choose collisions
	dir   atomic.Pointer[directory] // nil while there is no rule
	kinds atomic.Uint32             // bit k is set while some rule has the selectors of kind k

	byKind [8]int // rules of each kind; the writers'
	heads  int    // slots in use; the writers'
}

func newRuleIndex() *ruleIndex {
	return &ruleIndex{
		seed: maphash.MakeSeed(),
		salt: [4]uint64{rand.Uint64() | 1, rand.Uint64() | 1, rand.Uint64() | 1, rand.Uint64() | 1},
	}
}

// kind is which selectors a rule has, a set of three bits.
type kind uint8

const (
	byCName kind = 1 << iota
	byUID
	byIP
)

// subsets gives, for each set of selectors, the kinds within it but the empty
// one, as a set of bits: what rules an attempt that shows these can match.
var subsets = func() (sets [8]uint32) {
	for have := range kind(8) {
		for k := kind(1); k < 8; k++ {
			if k&^have == 0 {
				sets[have] |= 1 << k
			}
		}
	}
	return sets
}()

// addrWords is an address as the two words that are hashed and compared,
// big-endian, IPv4 in its mapped form.
type addrWords [2]uint64

func newAddrWords(ip netip.Addr) addrWords {
	b := ip.As16()
	return addrWords{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// addr returns the address, an IPv4 one as such.
func (w addrWords) addr() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], w[0])
	binary.BigEndian.PutUint64(b[8:], w[1])
	return netip.AddrFrom16(b).Unmap()
}

// subject is what a rule is about or what an attempt shows, in a form that is
// quick to compare.
type subject struct {
	cname string
	ip    addrWords
	uid   UID
	kind  kind // what is given
}

// newSubject drops zones and makes IPv4-mapped addresses equal to their IPv4.
func newSubject(cname string, uid UID, ip netip.Addr) subject {
	s := subject{cname: cname, uid: uid}
	if cname != "" {
		s.kind |= byCName
	}
	if uid != 0 {
		s.kind |= byUID
	}
	if ip.IsValid() {
		s.kind |= byIP
		s.ip = newAddrWords(ip)
	}
	return s
}

// selects reports whether a rule about s is about a, too.
func (s *subject) selects(a *subject) bool {
	k := s.kind
	return k&^a.kind == 0 &&
		(k&byUID == 0 || s.uid == a.uid) &&
		(k&byIP == 0 || s.ip == a.ip) &&
		(k&byCName == 0 || s.cname == a.cname)
}

func (s *subject) selectors() Selectors {
	sel := Selectors{CName: s.cname, UID: s.uid}
	if s.kind&byIP != 0 {
		sel.IP = s.ip.addr()
	}
	return sel
}

// ban is a rule as it is judged with. It does not change once published. All
// that a judgement looks at fills the first 64 bytes, one line of the
// processor's cache, and the whole has 128.
type ban struct {
	ip         addrWords
	name       [inlineName]byte // how cname begins
	until      int64            // end of effect in Unix milliseconds
	id         RuleID
	uid        UID
	kind       kind
	privileges Privileges
	state      gatehouse.State
	nameLen    uint8

	cname            string
	op               OpID
	created, updated int64
	hash             uint32 // of the subject
	// peers, in a ban whose state is several, are the rules that stand in its
	// slot. Nothing but the subject is its own then.
	peers *peers
	_     [8]byte
}

// inlineName is the length up to which a channel's name is compared within the
// ban.
const inlineName = 24

// newBan returns b, whose other fields are set, as a rule about s.
func newBan(s subject, b ban) *ban {
	b.cname, b.ip, b.uid, b.kind = s.cname, s.ip, s.uid, s.kind
	b.nameLen = uint8(len(s.cname))
	copy(b.name[:], s.cname)
	return &b
}

func (b *ban) subject() subject {
	return subject{cname: b.cname, ip: b.ip, uid: b.uid, kind: b.kind}
}

func (b *ban) selectors() Selectors {
	s := b.subject()
	return s.selectors()
}

// selects reports whether the rule's selectors are those of the attempt.
func (b *ban) selects(a *subject) bool {
	k := b.kind
	return k&^a.kind == 0 &&
		(k&byUID == 0 || b.uid == a.uid) &&
		(k&byIP == 0 || b.ip == a.ip) &&
		(k&byCName == 0 || b.named(a.cname))
}

func (b *ban) named(cname string) bool {
	if int(b.nameLen) != len(cname) {
		return false
	}
	if len(cname) <= inlineName {
		return string(b.name[:len(cname)]) == cname
	}
	return b.cname == cname
}

// several marks a ban that stands for more than one with the same selectors.
const several gatehouse.State = 255

// peers are several rules with the same selectors. Of those with a privilege
// the one that ends last decides: while it lasts it bars, and when it has ended
// so have the others. Readers look at latest alone, which does not change; bans
// is the writers' and goes on from one peers to the next.
type peers struct {
	latest [2][privilegeCount]*ban // by state, enforced or shadow
	bans   []*ban                  // by end, then id
}

// verdict is the enforced rule that bars an attempt and the shadow rule that
// would; of several of a sort the one that ends last, and of those that end
// together the one with the highest id.
type verdict struct{ bars, shadow *ban }

// judge looks up the rules that match a and take away the privilege at the time
// at, in Unix milliseconds. It does not lock and does not allocate.
func (x *ruleIndex) judge(a *subject, privilege Privileges, at int64) (v verdict) {
	dir := x.dir.Load()
	if dir == nil {
		return v
	}
	// All first loads go out before any test of what they bring: the processor
	// then waits for memory once and not seven times.
	var groups [8]uint64
	hashes := x.hashes(a)
	inUse := x.kinds.Load() & subsets[a.kind&7]
	for m := inUse; m != 0; m &= m - 1 {
		k := bits.TrailingZeros32(m) & 7
		groups[k] = dir.segment(hashes[k]).groups[hashes[k]%segmentGroups].marks.Load()
	}
	for m := inUse; m != 0; m &= m - 1 {
		k := bits.TrailingZeros32(m) & 7
		if marked(groups[k], hashes[k]) == 0 && hasEmpty(groups[k]) != 0 {
			continue
		}
		if b := dir.segment(hashes[k]).find(hashes[k], kind(k), a); b != nil {
			v.add(b, privilege, at)
		}
	}
	return v
}

// hashes returns the hash for each kind of rule that matches s, by kind. Those
// of the three values are each well mixed and keyed, so their sums are.
func (x *ruleIndex) hashes(s *subject) (hashes [8]uint32) {
	var cname, uid, ip uint64
	if s.kind&byCName != 0 {
		cname = maphash.String(x.seed, s.cname)
	}
	if s.kind&byUID != 0 {
		uid = fold(uint64(s.uid)^x.salt[0], x.salt[1])
	}
	if s.kind&byIP != 0 {
		ip = fold(s.ip[0]^x.salt[2], s.ip[1]^x.salt[3])
	}
	hashes[byCName] = uint32(cname >> 32)
	hashes[byUID] = uint32(uid >> 32)
	hashes[byCName|byUID] = uint32((cname + uid) >> 32)
	hashes[byIP] = uint32(ip >> 32)
	hashes[byCName|byIP] = uint32((cname + ip) >> 32)
	hashes[byUID|byIP] = uint32((uid + ip) >> 32)
	hashes[byCName|byUID|byIP] = uint32((cname + uid + ip) >> 32)
	return hashes
}

// fold multiplies to 128 bits and folds them into 64. It multiplies once more
// for numbers in a row, as ids are: for one b in a hundred the upper bits of
// their products are in a row as well, or few.
func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	v := high ^ low
	return (v ^ v>>32) * 0x9e3779b97f4a7c15
}

// add weighs one slot.
func (v *verdict) add(b *ban, privilege Privileges, at int64) {
	if b.state == several {
		i := bits.TrailingZeros8(uint8(privilege)) % privilegeCount
		v.weigh(b.peers.latest[gatehouse.Enforced][i], at)
		v.weigh(b.peers.latest[gatehouse.Shadow][i], at)
		return
	}
	if b.privileges&privilege != 0 && b.state != gatehouse.Off {
		v.weigh(b, at)
	}
}

func (v *verdict) weigh(b *ban, at int64) {
	if b == nil || at >= b.until {
		return
	}
	best := &v.bars
	if b.state == gatehouse.Shadow {
		best = &v.shadow
	}
	if *best == nil || (*best).before(b) {
		*best = b
	}
}

// put adds the ban, in place of old, the one with its id, unless nil. Both have
// the same selectors: those of a rule never change.
func (x *ruleIndex) put(b, old *ban) {
	about := b.subject()
	b.hash = x.hashes(&about)[b.kind&7]
	if old == nil {
		x.byKind[b.kind&7]++
	}
	dir := x.dir.Load()
	if slot := dir.slot(b.hash, &about).slot(); slot != nil {
		slot.Store(slot.Load().with(b, old))
		return
	}
	x.heads++
	if grown := dir.insert(b); grown != dir {
		x.dir.Store(grown)
	}
	x.showKinds()
}

// drop removes the ban.
func (x *ruleIndex) drop(b *ban) {
	dir := x.dir.Load()
	about := b.subject()
	at := dir.slot(b.hash, &about)
	slot := at.slot()
	if slot == nil {
		return
	}
	x.byKind[b.kind&7]--
	if rest := slot.Load().with(nil, b); rest != nil {
		slot.Store(rest)
		return
	}
	at.clear()
	x.heads--
	if less := dir.shrunk(x.heads); less != dir {
		x.dir.Store(less)
	}
	x.showKinds()
}

// showKinds tells readers which kinds are in use. A kind that is new is told of
// when its first rule stands in the table; one that is gone, after its last.
func (x *ruleIndex) showKinds() {
	var inUse uint32
	for k, n := range x.byKind {
		if n > 0 {
			inUse |= 1 << k
		}
	}
	if x.kinds.Load() != inUse {
		x.kinds.Store(inUse)
	}
}

// all returns the rules that stand in the slot of head.
func (head *ban) all() []*ban {
	if head.peers == nil {
		return []*ban{head}
	}
	return head.peers.bans
}

// with returns the head of the slot when b, if any, has been added and old, if
// any, taken away; nil when nothing is left. The usual case, a rule that ends
// later than all before it, takes constant time.
func (head *ban) with(b, old *ban) *ban {
	bans := head.all()
	if old != nil {
		if i, found := slices.BinarySearchFunc(bans, old, compareBans); found {
			bans = cut(bans, i)
		}
	}
	if b != nil {
		i, _ := slices.BinarySearchFunc(bans, b, compareBans)
		bans = slices.Insert(bans, i, b)
	}
	switch len(bans) {
	case 0:
		return nil
	case 1:
		return bans[0]
	}
	next := &peers{bans: bans}
	if p := head.peers; p != nil && (old == nil || !p.decides(old)) {
		next.latest = p.latest
		if b != nil {
			next.note(b)
		}
	} else {
		for _, b := range bans {
			next.note(b)
		}
	}
	return newBan(head.subject(), ban{hash: head.hash, state: several, peers: next})
}

// decides reports whether b is the latest of one of its sorts.
func (p *peers) decides(b *ban) bool {
	for _, latest := range p.latest {
		if slices.Contains(latest[:], b) {
			return true
		}
	}
	return false
}

// cut takes out element i; the first, which expires first, without a move.
func cut(bans []*ban, i int) []*ban {
	if i == 0 {
		bans[0] = nil
		return bans[1:]
	}
	return slices.Delete(bans, i, i+1)
}

// note makes b the latest of its sorts where it is.
func (p *peers) note(b *ban) {
	if b.state == gatehouse.Off {
		return
	}
	for i := range privilegeCount {
		if b.privileges&(1<<i) != 0 {
			if l := &p.latest[b.state][i]; *l == nil || (*l).before(b) {
				*l = b
			}
		}
	}
}

// before orders bans by end, then id.
func (b *ban) before(c *ban) bool {
	return b.until < c.until || b.until == c.until && b.id < c.id
}

func compareBans(b, c *ban) int {
	return cmp.Or(cmp.Compare(b.until, c.until), cmp.Compare(b.id, c.id))
}
