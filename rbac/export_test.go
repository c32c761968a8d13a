package rbac

// Names is how many names of subjects and targets an engine at rest keeps.
func Names(s *Snapshot) int { return s.subjectNames.n + s.targetNames.n }
