package rest

import (
	"net/http"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/milesight"
)

// answer is what every answer is wrapped in ("Return Value Interface
// Specification"). Members without a value are left out, so a call that has
// nothing to say answers with status and id alone. Of detail_message, which is
// "possibly present", there is none: what it would say is in error_message, as
// at the server for all errors without a text of their own.
type answer struct {
	RequestID    string         `json:"request_id"`
	Status       string         `json:"status"`
	Data         any            `json:"data,omitempty"`
	ErrorCode    milesight.Code `json:"error_code,omitempty"`
	ErrorMessage string         `json:"error_message,omitempty"`
}

type envelope struct{ businessStatus int }

func (envelope) Success(r *http.Request, status int, result any) surface.Reply {
	a := answer{RequestID: surface.RequestID(r.Context()), Status: "Success", Data: result}
	if result == (surface.None{}) {
		a.Data = nil
	}
	return surface.Reply{Status: status, Body: a}
}

func (e envelope) Failure(r *http.Request, err error) surface.Reply {
	a := answer{RequestID: surface.RequestID(r.Context()), Status: "Failed", ErrorMessage: err.Error()}
	status := surface.StatusOf(err)
	var header http.Header
	switch err := err.(type) {
	case *milesight.Error:
		a.ErrorCode, a.ErrorMessage, status = err.Code, err.Message, err.Status
		if err.Code.Business() {
			status = e.businessStatus
		}
	case *surface.BindError:
		a.ErrorCode = milesight.SyntaxError
		if err.Kind == surface.Missing {
			a.ErrorCode = milesight.ValidationFailed
		}
	case *surface.RouteError:
		a.ErrorCode = milesight.NotFound
		if err.Status == http.StatusMethodNotAllowed {
			a.ErrorCode = milesight.MethodNotAllowed
		}
	default:
		a.ErrorCode, a.ErrorMessage = milesight.ServerError, "internal server error"
	}
	if status == http.StatusUnauthorized {
		header = http.Header{"Www-Authenticate": {`Bearer realm="milesight"`}}
	}
	return surface.Reply{Status: status, Header: header, Body: a}
}

// paging is the part of a request that says which page to show.
type paging struct {
	Size   int    `query:"page_size" json:"page_size" default:"10"`
	Number int    `query:"page_number" json:"page_number" default:"1"`
	Sorts  []sort `json:"sorts"`
}

type sort struct {
	Property  string `json:"property"`
	Direction string `json:"direction"`
}

func (p paging) request() (milesight.PageRequest, error) {
	request, err := milesight.NewPageRequest(p.Size, p.Number)
	if err != nil {
		return request, err
	}
	for _, s := range p.Sorts {
		parsed, err := milesight.ParseSort(s.Property, s.Direction)
		if err != nil {
			return request, err
		}
		request.Sorts = append(request.Sorts, parsed)
	}
	return request, nil
}

// search is a request for rows that have a keyword in them.
type search struct {
	Keyword string `query:"keyword" json:"keyword"`
	paging
}

// page is a list in parts. The document's samples of lists show one row, or an
// array; on the wire they are pages.
type page[T any] struct {
	Size    int `json:"page_size"`
	Number  int `json:"page_number"`
	Total   int `json:"total"`
	Content []T `json:"content"`
}

// list answers a request for a page.
func list[T, U any](p paging, ask func(milesight.PageRequest) (milesight.Page[T], error), show func(T) U) (page[U], error) {
	request, err := p.request()
	if err != nil {
		return page[U]{}, err
	}
	found, err := ask(request)
	rows := make([]U, len(found.Content))
	for i, row := range found.Content {
		rows[i] = show(row)
	}
	return page[U]{found.Size, found.Number, found.Total, rows}, err
}
