package agora

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/gatehouse-go/gatehouse/address"
)

// UID is a user's number in a channel, 1 to 4294967295. In a [JoinRequest] 0
// asks for a free one.
type UID uint32

// ParseUID reads a user id in decimal. 0 is refused: as a selector the document
// calls it an error, not a wildcard.
func ParseUID(text string) (UID, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 {
		return 0, invalid("uid", text, "not a user id (1 to 4294967295)")
	}
	return UID(n), nil
}

// MaxChannelName is the longest name of a channel, in bytes.
const MaxChannelName = 64

// channelPunctuation is what a channel's name may hold beside letters and
// digits.
const channelPunctuation = " !#$%&()+-:;<=.>?@[]^_{}|~,"

var channelBytes = func() (legal [256]bool) {
	for c := range legal {
		b := byte(c)
		legal[c] = '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' ||
			strings.IndexByte(channelPunctuation, b) >= 0
	}
	return legal
}()

// CheckChannelName returns an error unless cname can be a channel's name: 1 to
// 64 bytes of ASCII letters, digits, space and !#$%&()+-:;<=.>?@[]^_{}|~,
func CheckChannelName(cname string) error {
	if cname == "" {
		return invalid("cname", cname, "empty")
	}
	if len(cname) > MaxChannelName {
		return invalid("cname", cname, "%d bytes, more than %d", len(cname), MaxChannelName)
	}
	for i := range len(cname) {
		if !channelBytes[cname[i]] {
			return invalid("cname", cname, "byte %d is not allowed in a channel name", i)
		}
	}
	return nil
}

// ParseIP reads one address for a rule or a join. IPv4-mapped IPv6 becomes its
// IPv4. Networks are refused, there is no CIDR in banning rules; so are zones,
// and 0.0.0.0 and ::, which nobody comes from.
func ParseIP(text string) (netip.Addr, error) {
	ip, err := address.Parse(text)
	if err != nil || ip.IsUnspecified() {
		return netip.Addr{}, invalid("ip", text, "not an address")
	}
	return ip, nil
}

// Privileges is a set of what a user may do in a channel; a rule takes them
// away. The zero value in a request stands for the default, [JoinChannel].
type Privileges uint8

const (
	JoinChannel  Privileges = 1 << iota // enter the channel
	PublishAudio                        // send sound
	PublishVideo                        // send pictures

	allPrivileges = JoinChannel | PublishAudio | PublishVideo
)

const privilegeCount = 3

var privilegeWords = [privilegeCount]string{"join_channel", "publish_audio", "publish_video"}

// ParsePrivileges reads the words of a rule's "privileges". A nil list is
// absent and gives the default; an empty one and an unknown word are refused,
// and duplicates count once. The documents are silent on these three.
func ParsePrivileges(words []string) (Privileges, error) {
	if words == nil {
		return JoinChannel, nil
	}
	if len(words) == 0 {
		return 0, invalid("privileges", "[]", "empty")
	}
	var p Privileges
next:
	for _, w := range words {
		for i, known := range privilegeWords {
			if w == known {
				p |= 1 << i
				continue next
			}
		}
		return 0, invalid("privileges", w, "not join_channel, publish_audio or publish_video")
	}
	return p, nil
}

// Words returns the API's names of the privileges in p, in a fixed order.
func (p Privileges) Words() []string {
	words := make([]string, 0, privilegeCount)
	for i, w := range privilegeWords {
		if p&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return words
}

// String joins the words with commas.
func (p Privileges) String() string { return strings.Join(p.Words(), ",") }

// Selectors say whom a rule is about: everybody whose values equal all that are
// given. A zero field is not given and matches anything. Comparable.
type Selectors struct {
	CName string
	UID   UID
	IP    netip.Addr // unmapped and without zone, as ParseIP gives it
}

// String lists what is given, as in `cname "11" uid 1`.
func (s Selectors) String() string {
	var parts []string
	if s.CName != "" {
		parts = append(parts, "cname "+strconv.Quote(s.CName))
	}
	if s.UID != 0 {
		parts = append(parts, "uid "+strconv.FormatUint(uint64(s.UID), 10))
	}
	if s.IP.IsValid() {
		parts = append(parts, "ip "+s.IP.String())
	}
	return strings.Join(parts, " ")
}

// check makes the address comparable and refuses what the API refuses. A rule
// without selectors would bar everybody; the document is silent, we refuse it.
func (s Selectors) check() (Selectors, error) {
	if s.CName != "" {
		if err := CheckChannelName(s.CName); err != nil {
			return s, err
		}
	}
	if s.IP.IsValid() {
		s.IP = address.Unmap(s.IP)
		if s.IP.IsUnspecified() {
			return s, invalid("ip", s.IP.String(), "not an address")
		}
	}
	if s == (Selectors{}) {
		return s, newError(InvalidArgument, "one of cname, uid and ip is required", "", "")
	}
	return s, nil
}
