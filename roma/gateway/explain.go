package gateway

// Explanation is what would happen to a request, stage by stage.
type Explanation struct{}
