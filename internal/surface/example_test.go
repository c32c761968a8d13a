package surface_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gatehouse-go/gatehouse/internal/surface"
)

// plain answers results as they are and errors as {"message":"..."}.
type plain struct{}

func (plain) Success(_ *http.Request, status int, result any) surface.Reply {
	return surface.Reply{Status: status, Body: result}
}

func (plain) Failure(_ *http.Request, err error) surface.Reply {
	return surface.Reply{Status: surface.StatusOf(err), Body: map[string]string{"message": err.Error()}}
}

type greet struct {
	Name  string `path:"name"`
	Times int    `query:"times" default:"1"`
}

type greeting struct {
	Text string `json:"text"`
}

func Example() {
	s, err := surface.New(surface.Config{Envelope: plain{}},
		surface.Op("GET /greet/{name}", func(_ context.Context, in greet) (greeting, error) {
			return greeting{strings.Repeat("hello "+in.Name+" ", in.Times)}, nil
		}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, target := range []string{"/greet/a%2Fb", "/greet/ann?times=x", "/nothing"} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 {"text":"hello a/b "}
	// 400 {"message":"query times: \"x\" is not an integer"}
	// 404 {"message":"nothing is served at GET /nothing"}
}

// An update tells a field that is absent from one that is cleared.
func ExampleOpt() {
	type update struct {
		Remark surface.Opt[string] `json:"remark"`
	}
	s, _ := surface.New(surface.Config{Envelope: plain{}},
		surface.Op("PUT /remark", func(_ context.Context, in update) (greeting, error) {
			switch in.Remark.State {
			case surface.Absent:
				return greeting{"kept"}, nil
			case surface.Null:
				return greeting{"cleared"}, nil
			}
			return greeting{"set to " + in.Remark.Value}, nil
		}))
	for _, body := range []string{`{}`, `{"remark":null}`, `{"remark":"x"}`} {
		r := httptest.NewRequest("PUT", "/remark", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		fmt.Println(w.Body)
	}
	// Output:
	// {"text":"kept"}
	// {"text":"cleared"}
	// {"text":"set to x"}
}

// A vendor's envelope maps the kinds of errors to its own codes.
func ExampleBindError() {
	err := error(&surface.BindError{Kind: surface.WrongType, Place: surface.InBody, Name: "rules[2].uid", Value: "x", Want: "an integer"})
	if e, ok := errors.AsType[*surface.BindError](err); ok && e.Kind == surface.WrongType {
		fmt.Printf("APIG.2011: parameter %s\n", e.Name)
	}
	fmt.Println(err)
	// Output:
	// APIG.2011: parameter rules[2].uid
	// body rules[2].uid: "x" is not an integer
}

// A download is written past the envelope.
func ExampleRaw() {
	s, _ := surface.New(surface.Config{Envelope: plain{}},
		surface.Op("GET /export", func(context.Context, surface.None) (surface.Raw, error) {
			return surface.Bytes("text/csv", []byte("id,name\n1,ann\n")), nil
		}))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/export", nil))
	body, _ := io.ReadAll(w.Result().Body)
	fmt.Printf("%s\n%s", w.Header().Get("Content-Type"), body)
	// Output:
	// text/csv
	// id,name
	// 1,ann
}
