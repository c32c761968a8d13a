package gateway

// limited is what the limits said of a call.
type limited struct{}
