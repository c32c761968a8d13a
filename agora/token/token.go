// Package token builds and checks the dynamic keys with which a user enters a
// channel of an Agora project whose certificate is on: AccessToken, whose text
// begins with 006, and AccessToken2, which begins with 007.
//
//	t := token.Token{
//		AppID:   appID,
//		Channel: "lobby",
//		UID:     "42",
//		Issued:  now,
//		Expires: now.Add(time.Hour),
//		Grants:  []token.Grant{{Privilege: token.JoinChannel}},
//	}
//	text, err := t.Build(certificate)
//	...
//	err = token.Verify(text, token.Request{
//		AppID: appID, Certificate: certificate,
//		Channel: "lobby", UID: 42, Privilege: token.JoinChannel,
//	}, now)
//
// Both forms are signed with the project's certificate (HMAC-SHA256). They are
// described by the vendor's published builders, which the package agrees with
// byte for byte before compression; where those leave open what a checker does,
// comments say what we chose. Only the RTC service of a 007 token is looked at.
//
// Nothing here reads a clock or keeps state, and everything is safe for
// concurrent use.
package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// Privilege is something that a token lets its bearer do.
type Privilege uint16

// The privileges of the RTC service; they have the same numbers in both
// versions.
const (
	JoinChannel  Privilege = 1
	PublishAudio Privilege = 2
	PublishVideo Privilege = 3
	PublishData  Privilege = 4
)

// Version is the form of a token, the three digits that its text begins with.
type Version string

// The two versions. The zero Version builds as V007.
const (
	V006 Version = "006"
	V007 Version = "007"
)

// AnyChannel as a token's channel opens every channel of the project, the
// vendor's wildcard. It is no legal channel name itself.
const AnyChannel = "*"

// Grant is one privilege with its end.
type Grant struct {
	Privilege Privilege
	// Until is when the privilege ends; the zero time is the token's own end.
	Until time.Time
}

// Token is what a dynamic key says. Times are kept to the second.
type Token struct {
	Version Version // the zero value is V007
	AppID   string  // 32 hex digits
	Channel string
	// UID is the user in decimal, or an account name; "" and "0" are any user.
	UID string
	// Issued is the time of making; 006 does not carry it.
	Issued time.Time
	// Expires is the end of the whole token.
	Expires time.Time
	// Salt makes two tokens with the same content differ.
	Salt   uint32
	Grants []Grant
}

// Request is what a bearer wants to do, for [Verify].
type Request struct {
	AppID       string
	Certificate string // the project's current sign_key
	Channel     string
	UID         uint32
	Privilege   Privilege // 0 asks only whether the token itself is good
}

// String leaves the certificate out.
func (r Request) String() string {
	return fmt.Sprintf("app id %s channel %q uid %d privilege %d", r.AppID, r.Channel, r.UID, r.Privilege)
}

// GoString leaves it out, too.
func (r Request) GoString() string { return "token.Request{" + r.String() + "}" }

// LogValue is what a log shows: the same, also of handlers that write JSON.
func (r Request) LogValue() slog.Value { return slog.StringValue(r.String()) }

// What [Verify] returns, for errors.Is. No error quotes the certificate or the
// token.
var (
	// ErrMalformed is returned for text that is no token of either version.
	ErrMalformed = errors.New("agora token: malformed")
	// ErrAppID is returned for a token of another project.
	ErrAppID = errors.New("agora token: made for another app id")
	// ErrSignature is returned when the certificate did not sign this token,
	// or not with this content: a forgery, or a certificate since replaced.
	ErrSignature = errors.New("agora token: signature does not match")
	// ErrChannel is returned for a token of another channel.
	ErrChannel = errors.New("agora token: made for another channel")
	// ErrUser is returned for a token of another user.
	ErrUser = errors.New("agora token: made for another user")
	// ErrExpired is returned at and after the token's or the privilege's end.
	ErrExpired = errors.New("agora token: expired")
	// ErrEarly is returned for a token issued later than now, past [Skew].
	ErrEarly = errors.New("agora token: issued in the future")
	// ErrPrivilege is returned when the token does not grant the privilege.
	ErrPrivilege = errors.New("agora token: privilege not granted")
)

// Skew is how far the clock of a token's maker may be ahead of the checker's.
// The documents are silent; five minutes is what most verifiers allow.
const Skew = 5 * time.Minute

// MaxLength is the longest text that is looked at as a token. The builders'
// own are a few hundred bytes.
const MaxLength = 4 << 10

// Verify returns nil when text is a token that the certificate signed, for this
// project, channel and user, that has not ended at now and grants the privilege
// at now. Otherwise the error says which of these does not hold.
func Verify(text string, want Request, now time.Time) error {
	if len(text) > MaxLength || len(text) < 3 {
		return ErrMalformed
	}
	// An empty key signs as well as any other, so a project without a
	// certificate would accept what anybody builds.
	if want.Certificate == "" {
		return ErrSignature
	}
	switch Version(text[:3]) {
	case V006:
		return verify006(text[3:], want, now)
	case V007:
		return verify007(text[3:], want, now)
	}
	return ErrMalformed
}

// Build returns the text of the token, signed with the certificate. It refuses
// what the form cannot carry.
func (t Token) Build(certificate string) (string, error) {
	switch {
	case certificate == "":
		return "", errors.New("agora token: no certificate to sign with")
	case !isHex32(t.AppID):
		return "", fmt.Errorf("agora token: app id %q is not 32 hex digits", t.AppID)
	case len(t.Channel) > 255:
		return "", fmt.Errorf("agora token: channel of %d bytes", len(t.Channel))
	case len(t.UID) > 255:
		return "", fmt.Errorf("agora token: uid of %d bytes", len(t.UID))
	}
	grants, err := t.privileges()
	if err != nil {
		return "", err
	}
	var text string
	switch t.Version {
	case V006:
		text, err = t.build006(certificate, grants)
	case V007, "":
		text, err = t.build007(certificate, grants)
	default:
		return "", fmt.Errorf("agora token: version %q is not 006 or 007", t.Version)
	}
	if err == nil && len(text) > MaxLength {
		return "", fmt.Errorf("agora token: %d bytes, more than %d", len(text), MaxLength)
	}
	return text, err
}

// privileges returns the grants by number, refusing one given twice.
func (t Token) privileges() (map[Privilege]time.Time, error) {
	byNumber := make(map[Privilege]time.Time, len(t.Grants))
	for _, g := range t.Grants {
		if _, twice := byNumber[g.Privilege]; twice {
			return nil, fmt.Errorf("agora token: privilege %d is granted twice", g.Privilege)
		}
		byNumber[g.Privilege] = g.Until
	}
	return byNumber, nil
}

// judge decides what both versions decide alike, once the signature holds.
// until maps a privilege to its end as Unix seconds, 0 being the token's own.
func judge(want Request, grants privilegeList, expires int64, until func(uint32) int64, now time.Time) error {
	at := now.Unix()
	if at >= expires {
		return ErrExpired
	}
	if want.Privilege == 0 {
		return nil
	}
	value, granted := grants.get(want.Privilege)
	if !granted {
		return ErrPrivilege
	}
	if end := until(value); end != 0 && at >= end {
		return ErrExpired
	}
	return nil
}

// uidTexts are the forms in which a token that lets uid in may name its user:
// the user itself, and the two spellings of anybody.
func uidTexts(uid uint32) [3]string {
	return [3]string{strconv.FormatUint(uint64(uid), 10), "", "0"}
}

// channelTexts are the same for a channel.
func channelTexts(channel string) [2]string {
	return [2]string{channel, AnyChannel}
}

func isHex32(s string) bool {
	if len(s) != 32 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

func sign(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// seconds gives the Unix seconds that a 32-bit field can carry.
func seconds(name string, t time.Time) (uint32, error) {
	s := t.Unix()
	if s < 0 || s > 1<<32-1 {
		return 0, fmt.Errorf("agora token: %s %v does not fit into 32 bits of Unix seconds", name, t)
	}
	return uint32(s), nil
}
