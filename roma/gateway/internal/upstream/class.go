package upstream

// Classes of bytes, by what they may stand in.
const (
	tokenByte  = 1 << iota // methods and field names, RFC 9110 section 5.6.2
	valueByte              // field values: visible, space, tab and obs-text
	hostByte               // plain hosts with or without a port
	pathByte               // paths that url.URL leaves unescaped
	targetByte             // anything a request target may hold undamaged
)

var classes = func() (t [256]byte) {
	add := func(class byte, bytes string) {
		for i := range len(bytes) {
			t[bytes[i]] |= class
		}
	}
	const alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	add(tokenByte, alphanumeric+"!#$%&'*+-.^_`|~")
	add(hostByte, alphanumeric+"-._:[]")
	add(pathByte, alphanumeric+"-_.~$&+,/:;=@")
	add(valueByte, "\t ")
	for c := '!'; c <= 255; c++ {
		if c != 0x7f {
			t[c] |= valueByte | targetByte
		}
	}
	return t
}()

// all reports whether s holds bytes of the class only.
func all(s string, class byte) bool {
	for i := range len(s) {
		if classes[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

// trim removes spaces and tabs around s.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}
