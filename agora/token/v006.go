package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"time"
)

// AccessToken, version 006:
//
//	"006" appID base64( signature crc32(channel) crc32(uid) string(message) )
//	message   = salt expires privileges, whose values are Unix seconds
//	signature = HMAC(certificate, appID channel uid message)
//
// Channel and user are not in the text, only their checksums, which tell at
// once which of the possible spellings to try the signature with.

const appIDLength = 32

func (t Token) build006(certificate string, grants map[Privilege]time.Time) (string, error) {
	expires, err := seconds("expiry", t.Expires)
	if err != nil {
		return "", err
	}
	values := make(map[Privilege]uint32, len(grants))
	for p, until := range grants {
		if until.IsZero() {
			values[p] = 0
		} else if values[p], err = seconds("end of a privilege", until); err != nil {
			return "", err
		}
	}
	uid := t.UID
	if uid == "0" {
		uid = ""
	}
	message := binary.LittleEndian.AppendUint32(nil, t.Salt)
	message = binary.LittleEndian.AppendUint32(message, expires)
	message = appendPrivileges(message, values)

	content := appendString(nil, string(sign([]byte(certificate), []byte(t.AppID+t.Channel+uid), message)))
	content = binary.LittleEndian.AppendUint32(content, crc32.ChecksumIEEE([]byte(t.Channel)))
	content = binary.LittleEndian.AppendUint32(content, crc32.ChecksumIEEE([]byte(uid)))
	content = appendString(content, string(message))
	return string(V006) + t.AppID + base64.StdEncoding.EncodeToString(content), nil
}

func verify006(text string, want Request, now time.Time) error {
	if len(text) < appIDLength {
		return ErrMalformed
	}
	appID := text[:appIDLength]
	content, err := decode(text[appIDLength:])
	if err != nil {
		return err
	}
	r := reader{rest: content}
	signature, channelSum, uidSum, message := r.string(), r.uint32(), r.uint32(), r.string()
	if r.short || len(r.rest) != 0 || len(signature) != sha256.Size {
		return ErrMalformed
	}
	m := reader{rest: message}
	_ = m.uint32() // the salt
	expires, grants := m.uint32(), m.privileges()
	if m.short || len(m.rest) != 0 {
		return ErrMalformed
	}

	if appID != want.AppID {
		return ErrAppID
	}
	channel, ok := matchSum(channelSum, channelTexts(want.Channel))
	if !ok {
		return ErrChannel
	}
	uid, ok := matchSum(uidSum, uidTexts(want.UID))
	if !ok {
		return ErrUser
	}
	if !hmac.Equal(signature, sign([]byte(want.Certificate), []byte(appID+channel+uid), message)) {
		return ErrSignature
	}
	return judge(want, grants, int64(expires), func(v uint32) int64 { return int64(v) }, now)
}

// matchSum returns the text that has the checksum.
func matchSum[T [2]string | [3]string](sum uint32, texts T) (string, bool) {
	for i := range len(texts) {
		if crc32.ChecksumIEEE([]byte(texts[i])) == sum {
			return texts[i], true
		}
	}
	return "", false
}

// decode is strict base64: Go's decoder skips line ends even when strict.
func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, ErrMalformed
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, ErrMalformed
	}
	return b, nil
}
