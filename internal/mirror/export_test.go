package mirror

// Rebuilt is what Follow does when the state was built anew.
func Rebuilt(before, now *State) { before.replacedBy(now) }
