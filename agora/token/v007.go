package token

import (
	"bytes"
	"compress/zlib"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// AccessToken2, version 007:
//
//	"007" base64( zlib( string(signature) data ) )
//	data      = string(appID) issued expire salt count service...
//	service   = type privileges fields
//	signature = HMAC(HMAC(salt, HMAC(issued, certificate)), data)
//
// expire and the values of privileges are seconds after issued. The builders
// say nothing of a privilege with 0 seconds; we read it as in 006, where it
// has no end of its own.

// inflatedLimit bounds what a token may unfold to. The builders' own are below
// 500 bytes, while a kilobyte of zlib can unfold to a megabyte.
const inflatedLimit = 8 << 10

const serviceRTC = 1

// fields says what follows the privileges of each service: s is a string, n a
// 16-bit number. A service is not length-prefixed, so one that is not listed
// ends what can be read.
var fields = map[uint16]string{
	serviceRTC: "ss",  // channel, uid
	2:          "s",   // RTM: user
	3:          "ss",  // streaming: channel, account
	4:          "",    // FPA
	5:          "s",   // chat: user
	6:          "ss",  // CDN: channel, account
	7:          "ssn", // education: room, user, role
	9:          "",    // conversational AI
	10:         "",    // speech to text
}

func (t Token) build007(certificate string, grants map[Privilege]time.Time) (string, error) {
	issued, err := seconds("issue time", t.Issued)
	if err != nil {
		return "", err
	}
	after := func(name string, end time.Time) (uint32, error) {
		d := end.Unix() - int64(issued)
		if d < 0 || d > 1<<32-1 {
			return 0, fmt.Errorf("agora token: %s %v is not within 32 bits of seconds after the issue time %v", name, end, t.Issued)
		}
		return uint32(d), nil
	}
	expire, err := after("expiry", t.Expires)
	if err != nil {
		return "", err
	}
	values := make(map[Privilege]uint32, len(grants))
	for p, until := range grants {
		if until.IsZero() {
			until = t.Expires
		}
		if values[p], err = after("end of a privilege", until); err != nil {
			return "", err
		}
	}
	uid := t.UID
	if uid == "0" {
		uid = ""
	}
	data := appendString(nil, t.AppID)
	data = binary.LittleEndian.AppendUint32(data, issued)
	data = binary.LittleEndian.AppendUint32(data, expire)
	data = binary.LittleEndian.AppendUint32(data, t.Salt)
	data = binary.LittleEndian.AppendUint16(data, 1)
	data = binary.LittleEndian.AppendUint16(data, serviceRTC)
	data = appendPrivileges(data, values)
	data = appendString(data, t.Channel)
	data = appendString(data, uid)

	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	w.Write(appendString(nil, string(sign007(certificate, issued, t.Salt, data))))
	w.Write(data)
	if err := w.Close(); err != nil {
		return "", err
	}
	return string(V007) + base64.StdEncoding.EncodeToString(packed.Bytes()), nil
}

func sign007(certificate string, issued, salt uint32, data []byte) []byte {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], issued)
	key := sign(b[:], []byte(certificate))
	binary.LittleEndian.PutUint32(b[:], salt)
	key = sign(b[:], key)
	return sign(key, data)
}

func verify007(text string, want Request, now time.Time) error {
	packed, err := decode(text)
	if err != nil {
		return err
	}
	content, err := inflate(packed)
	if err != nil {
		return err
	}
	r := reader{rest: content}
	signature := r.string()
	data := r.rest
	appID, issued, expire, salt, count := r.string(), r.uint32(), r.uint32(), r.uint32(), r.uint16()
	if r.short || len(signature) != sha256.Size {
		return ErrMalformed
	}
	if string(appID) != want.AppID {
		return ErrAppID
	}
	if !hmac.Equal(signature, sign007(want.Certificate, issued, salt, data)) {
		return ErrSignature
	}
	if int64(issued) > now.Add(Skew).Unix() {
		return ErrEarly
	}
	grants, err := findRTC(r, int(count), want)
	if err != nil {
		return err
	}
	end := int64(issued) + int64(expire)
	until := func(v uint32) int64 {
		if v == 0 {
			return 0
		}
		return int64(issued) + int64(v)
	}
	return judge(want, grants, end, until, now)
}

// findRTC returns the privileges of the RTC service for the wanted channel and
// user. A token may carry several; when none fits, the error is that of the
// last one looked at.
func findRTC(r reader, count int, want Request) (privilegeList, error) {
	result := error(ErrPrivilege) // a token for other services alone
	channels, uids := channelTexts(want.Channel), uidTexts(want.UID)
	for range count {
		kind, grants := r.uint16(), r.privileges()
		layout, known := fields[kind]
		if !known {
			break
		}
		var values [2][]byte
		for i, f := range layout {
			if f == 'n' {
				r.uint16()
			} else {
				values[i] = r.string()
			}
		}
		if r.short {
			return nil, ErrMalformed
		}
		if kind != serviceRTC {
			continue
		}
		switch {
		case !slices.Contains(channels[:], string(values[0])):
			result = ErrChannel
		case !slices.Contains(uids[:], string(values[1])):
			result = ErrUser
		default:
			return grants, nil
		}
	}
	if r.short {
		return nil, ErrMalformed
	}
	return nil, result
}

// inflater is a zlib reader with the input it reads and a place for what comes
// out: together some 50 KB, so they are kept from token to token.
type inflater struct {
	in  bytes.Reader
	z   io.ReadCloser
	out [inflatedLimit + 1]byte
}

var inflaters sync.Pool

// inflate unpacks one zlib stream that fills its input exactly.
func inflate(packed []byte) ([]byte, error) {
	f, _ := inflaters.Get().(*inflater)
	if f == nil {
		f = new(inflater)
	}
	defer inflaters.Put(f)
	f.in.Reset(packed)
	var err error
	if f.z == nil {
		f.z, err = zlib.NewReader(&f.in)
	} else {
		err = f.z.(zlib.Resetter).Reset(&f.in, nil)
	}
	if err != nil {
		return nil, ErrMalformed
	}
	n := 0
	for err == nil && n < len(f.out) {
		var m int
		m, err = f.z.Read(f.out[n:])
		n += m
	}
	// Anything but a clean end is corrupt, cut short or too long; what is left
	// of the input was put behind the stream.
	if err != io.EOF || f.in.Len() != 0 {
		return nil, ErrMalformed
	}
	return bytes.Clone(f.out[:n]), nil
}
