package agora

// Following reports whether the system is in step with its store.
func (s *System) Following() bool { return s.live.Err() == nil }
