package milesight

import "github.com/gatehouse-go/gatehouse/storage"

// CheckRecords verifies all that the store holds for the system.
func (s *System) CheckRecords(r storage.Reader) error { return of(s).tables.schema.Check(r) }

// CountSessions is how many log-ins are kept.
func (s *System) CountSessions() int { return s.state().sessions.Len() }

// LiveErr is why the system does not follow its store, nil while it does.
func (s *System) LiveErr() error { return s.live.Err() }
