package fault_test

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/fault"
)

func ExampleError() {
	err := fmt.Errorf("creating: %w", fault.Param("APIG.2011", "name", "1ab"))
	if e, ok := errors.AsType[*fault.Error](err); ok {
		fmt.Println(e.Code, e.Status, e.Message)
	}
	fmt.Println(errors.Is(err, fault.Of("APIG.2011")))
	fmt.Println(fault.NotFound("APIG.3003", "e1").Message)
	// Output:
	// APIG.2011 400 Invalid parameter value,parameterName:name. Please refer to the support documentation
	// true
	// Environment e1 does not exist
}

func TestCatalogue(t *testing.T) {
	form := regexp.MustCompile(`^(API[CG]\.\d{4}|ROMA\.(\d{8}|\d{7}))$`)
	n := 0
	for code, e := range fault.Codes() {
		n++
		if !form.MatchString(string(code)) || e.Status < 400 || e.Status > 599 || e.Message == "" || strings.HasSuffix(e.Message, ".") || strings.Count(e.Message, "%s") > 1 {
			t.Errorf("%s: %+v", code, e)
		}
		if m := fault.NotFound(code, "x").Message; strings.Contains(m, "%") {
			t.Errorf("%s says %q", code, m)
		}
	}
	if n < 300 {
		t.Errorf("%d codes", n)
	}
}

func TestErrorsAreShort(t *testing.T) {
	long := strings.Repeat("流", 1000)
	for _, e := range []*fault.Error{fault.Param("APIG.2011", "name", long), fault.NotFound("APIG.3001", long)} {
		if len(e.Error()) > 300 || strings.Contains(e.Error(), "\ufffd") {
			t.Errorf("%d bytes: %s", len(e.Error()), e)
		}
	}
}

func TestFrom(t *testing.T) {
	if fault.From(nil) != nil {
		t.Error("nothing is no fault")
	}
	ours := fmt.Errorf("wrapped: %w", fault.Of("APIG.3001"))
	if fault.From(ours) != ours {
		t.Error("ours is changed")
	}
	err := fault.From(io.ErrUnexpectedEOF)
	if !errors.Is(err, fault.Of("APIG.9999")) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("another's: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("an unknown code is taken")
		}
	}()
	fault.Of("APIG.0000")
}
