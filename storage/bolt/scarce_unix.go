//go:build unix

package bolt

import (
	"errors"
	"syscall"
)

// scarce reports whether a mapping failed for want of address space.
func scarce(err error) bool { return errors.Is(err, syscall.ENOMEM) }
