//go:build !unix

package bolt

// scarce reports whether a mapping failed for want of address space, of which
// none is reserved here.
func scarce(error) bool { return false }
