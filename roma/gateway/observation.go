package gateway

// Observation is a call when it is over.
type Observation struct{}
