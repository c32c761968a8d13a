package conformance

import (
	"strings"
	"testing"
)

// What each operation answers to an id that is not there, and each list to a
// window that is too large.
func TestROMAUnknownIDs(t *testing.T) {
	f := startROMA(t)
	for code, sections := range map[string]string{
		"ROMA.00014001": "3.1.4 3.1.5 3.1.6 3.1.7 3.1.8 3.1.9 3.1.11",
		"ROMA.00013011": "3.3.4 3.3.5 3.3.6",
		"APIG.3001":     "4.2.2 4.2.3 4.2.4",
		"APIG.3002":     "4.3.3 4.3.5 4.3.12 4.3.13 4.8.5 4.11.3 4.13.6",
		"APIG.3022":     "4.3.10 4.3.11",
		"APIG.3003":     "4.4.2 4.4.3",
		"APIG.3011":     "4.5.2 4.5.3 4.5.5",
		"APIG.3005":     "4.7.2 4.7.3 4.7.5 4.8.3 4.8.4 4.9.4",
		"APIG.3012":     "4.8.2",
		"APIG.3017":     "4.10.2 4.10.3 4.11.4 4.11.5",
		"APIG.3018":     "4.11.2",
		"APIG.3006":     "4.12.2 4.12.3 4.12.5 4.13.4 4.13.5",
		"APIG.3010":     "4.13.2",
		"APIG.3023":     "4.15.2 4.15.3 4.15.4 4.15.6 4.15.7",
		"APIG.3004":     "4.16.2 4.16.3 4.16.4 4.16.5 4.16.6 4.16.7 4.16.8 4.16.9 4.16.10 4.16.11 4.18.3 4.18.5 4.25.1 4.25.2 4.25.3 4.25.4",
		"APIG.3093":     "4.17.2 4.17.3 4.17.4 4.17.6 4.17.7 4.17.8 4.17.9",
		"APIG.3009":     "4.18.2",
	} {
		for section := range strings.FieldsSeq(sections) {
			f.refused(section, args{"body": args{}}, 404, code)
		}
	}
	for code, sections := range map[string]string{
		"ROMA.00013000": "3.1.2",
		"APIG.2003":     "4.2.5 4.3.6 4.4.4",
		"APIG.2012":     "4.7.4 4.10.4 4.12.6 4.15.5 4.16.1 4.17.5 4.22.1 4.23.1 4.24.1 4.25.5",
	} {
		for section := range strings.FieldsSeq(sections) {
			f.refused(section, args{"limit": 501}, 400, code)
		}
	}
}
