// Package surface is the one way from an HTTP request to a Go value and from a
// result or an error to an answer in a vendor's envelope. Every rest package of
// the module is a table of its operations:
//
//	type createRule struct {
//		AppID   string             `json:"appid" bind:"required"`
//		Channel surface.Opt[string] `json:"cname"`
//		Minutes *float64           `json:"time" bind:"lenient"`
//	}
//	type listRules struct {
//		AppID string `query:"appid" json:"appid" bind:"required"`
//		Limit int    `query:"limit" default:"20"`
//	}
//
//	s, err := surface.New(surface.Config{Envelope: envelope{}},
//		surface.Op("POST /kicking-rule", func(ctx context.Context, in createRule) (rule, error) { ... }, surface.Status(201)),
//		surface.Op("GET /kicking-rule", func(ctx context.Context, in listRules) ([]rule, error) { ... }),
//	)
//	http.Handle("/dev/v1/", http.StripPrefix("/dev/v1", s))
//
// # Inputs
//
// An operation's input is a struct, whose fields are parameters. A tag says
// where a parameter is read from and what it is called there:
//
//	path:"id"        the wildcard {id} of the pattern, percent-decoded; an encoded slash stays in the value
//	query:"limit"    the query string
//	header:"X-Auth"  a request header
//	form:"user"      a value of an urlencoded or multipart form
//	file:"data"      a file of a multipart form, of type [File] or []File
//	json:"name"      a member of the JSON body, in the syntax of encoding/json
//	body:"json"      the whole JSON body
//	body:"raw"       the whole body, as []byte or, not yet read, as io.Reader
//
// A field with several tags is taken from the first place in this order that
// has it. A field of type *http.Request gets the request. Fields of embedded
// structs count as the struct's own. The bind tag holds options:
//
//	required   absence is an error; so is null
//	secret     errors never show the value
//	lenient    every liberty of [Lenient] for this field
//	comma      a list in one text, a,b,c
//	json       a text that is JSON: groupIdList=[1,2]
//	nozero     a number in a body whose zero stands for absence: a 0 that is
//	           given becomes -1, for the rules to refuse as out of range
//
// and default:"20" is the value of an absent parameter. Pointers are nil when
// their parameter is absent or null; an [Opt] tells the two apart. Objects inside
// a body are structs with json tags and the same options; where a type has its
// own UnmarshalJSON or UnmarshalText, that is used, and its method Want() string, if
// it has one, ends the sentence `"x" is not ...` of the errors. Names match
// exactly, without the folding of case that encoding/json does.
//
// Only shape is checked here: presence, type, size. What a name may look like or
// how large a number may be is a rule, and rules live in the systems.
//
// # Errors
//
// The first fault is reported, as a [BindError]: first of the query and the body
// as a whole (limits, encoding, syntax, unknown and duplicate names), then of
// the parameters in the order of the struct's fields. Faults of routing are a
// [RouteError], panics are [ErrInternal]. All of them, and the errors that
// operations return, go through the vendor's [Envelope].
//
// Types are compiled once, by [New]; binding a request then costs little more
// than the values it makes.
package surface
