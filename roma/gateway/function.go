package gateway

// Functions are what FUNCTION backends invoke, by URN.
type Functions interface{}
