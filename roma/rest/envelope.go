package rest

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/fault"
)

// family is what differs between the two parts of the surface, chapters 3 and
// 4: which codes tell of what goes wrong before an operation is reached. It is
// the [surface.Meta] of a route.
type family struct {
	noToken, badToken, expired, denied fault.Code
	foreign                            fault.Code // a caller of another project
	noInstance                         fault.Code
	noInstanceStatus                   int // 0 is the catalogue's
	badBody, badValue                  fault.Code
	badPath                            fault.Code // an instance id that cannot be one, "" as one that is not there
	missing                            fault.Code
	broken                             fault.Code // the system, not the caller
}

var (
	apicFamily = family{
		noToken: "APIG.1000", badToken: "APIG.1002", expired: "APIG.1001", denied: "APIG.1005", foreign: "APIG.1005",
		noInstance: "APIG.3030", badBody: "APIG.2000", badValue: "APIG.2012", badPath: "APIG.2012", missing: "APIG.2001",
		broken: "APIG.9999",
	}
	instanceFamily = family{ // 4.1
		noToken: "APIC.7100", badToken: "APIC.7102", expired: "APIC.7101", denied: "APIC.7106", foreign: "APIC.7111",
		noInstance: "APIC.7302", badBody: "APIG.2000", badValue: "APIG.2012", missing: "APIG.2001",
		broken: "APIC.9000",
	}
	commonFamily = family{
		noToken: "ROMA.00001000", badToken: "ROMA.00001002", expired: "ROMA.4001017", denied: "ROMA.00001006",
		foreign: "ROMA.4011000", noInstance: "ROMA.00014002",
		badBody: "ROMA.00013000", badValue: "ROMA.00013000", badPath: "ROMA.00013000", missing: "ROMA.00013000",
		broken: "APIG.9999", // 7.4.1 has none
	}
)

// bound is the fault of a request that could not be bound.
func (f family) bound(e *surface.BindError) *fault.Error {
	switch {
	case e.Place == surface.InBody && e.Kind == surface.Incomplete, e.Place == surface.InBody && e.Kind == surface.Missing && e.Name == "":
		if f.badBody != "APIG.2000" {
			return fault.Of("ROMA.00013001").Because(e)
		}
		return fault.Of(f.badBody).Saying("Parameter error: Serialization error: unexpected end of JSON input").Because(e)
	case e.Kind == surface.Missing:
		return fault.Param(f.missing, e.Name, "").Because(e)
	case e.Place == surface.InBody || e.Place == surface.InForm:
		err := fault.Of(f.badBody).Naming(e.Name, e.Value).Because(e)
		if f.badBody == "APIG.2000" {
			return err.Saying("Parameter error: Serialization error: %s", e.Error())
		}
		return err.With("%s", e.Error())
	default:
		if f.badValue == "APIG.2012" {
			return fault.Param(f.badValue, e.Name, e.Value).Because(e)
		}
		return fault.Of(f.badValue).Naming(e.Name, e.Value).With("%s", e.Error()).Because(e)
	}
}

// fault is err as an error of the document, with the status it is answered
// with.
func (f family) fault(err error) (*fault.Error, int) {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e, e.Status
	}
	if e, ok := errors.AsType[*surface.BindError](err); ok {
		bound := f.bound(e)
		if status := surface.StatusOf(err); status == http.StatusRequestEntityTooLarge {
			return bound, status
		}
		return bound, bound.Status
	}
	if e, ok := errors.AsType[*surface.RouteError](err); ok {
		return &fault.Error{Code: "APIG.0101", Status: e.Status, Message: e.Error()}, e.Status
	}
	e := fault.Of(f.broken)
	return e, surface.StatusOf(err)
}

// apicEnvelope answers results as they are and errors as chapter 4 does.
type apicEnvelope struct{ family }

func (apicEnvelope) Success(_ *http.Request, status int, result any) surface.Reply {
	return surface.Reply{Status: status, Body: result}
}

func (a apicEnvelope) Failure(_ *http.Request, err error) surface.Reply {
	e, status := a.fault(err)
	return surface.Reply{Status: status, Body: struct {
		Code    fault.Code `json:"error_code"`
		Message string     `json:"error_msg"`
	}{e.Code, e.Message}}
}

// strayEnvelope answers what no operation takes: below the base path of chapter
// 3 as that chapter does, and elsewhere as chapter 4.
type strayEnvelope struct{ apicEnvelope }

func (s strayEnvelope) Failure(r *http.Request, err error) surface.Reply {
	if part := strings.SplitN(r.URL.Path, "/", 5); len(part) > 3 && part[1] == "v2" && part[3] == "instances" {
		return commonEnvelope{}.Failure(r, err)
	}
	return s.apicEnvelope.Failure(r, err)
}

// commonEnvelope answers as chapter 3 does.
type commonEnvelope struct{}

func (commonEnvelope) Success(_ *http.Request, status int, result any) surface.Reply {
	return surface.Reply{Status: status, Body: result}
}

func (commonEnvelope) Failure(r *http.Request, err error) surface.Reply {
	e, status := commonFamily.fault(err)
	return surface.Reply{Status: status, Body: struct {
		Code       fault.Code `json:"error_code"`
		Message    string     `json:"error_msg"`
		Details    string     `json:"error_details"`
		Suggestion string     `json:"suggestion"`
		RequestID  string     `json:"request_id"`
	}{e.Code, e.Message, e.Details, "", surface.RequestID(r.Context())}}
}
