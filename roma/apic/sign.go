package apic

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Types of signature keys: how the gateway proves itself to a backend.
const (
	SignHMAC      = "hmac"
	SignBasic     = "basic"      // needs the feature sign_basic
	SignPublicKey = "public_key" // needs the feature public_key
	SignAES       = "aes"        // of the vendor's later SDK: needs Config.Newer
)

// Secret is the secret of a signature key. Only JSON and a conversion show it.
type Secret string

// String hides the secret.
func (Secret) String() string { return "***" }

// GoString hides the secret.
func (Secret) GoString() string { return `"***"` }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("***") }

// Sign is a signature key (4.10).
type Sign struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Type      string    `json:"sign_type"`
	Key       string    `json:"sign_key"`
	Secret    Secret    `json:"sign_secret"`
	Algorithm string    `json:"sign_algorithm,omitempty"` // of SignAES
	Created   time.Time `json:"create_time"`
	Updated   time.Time `json:"update_time"`
}

// ListedSign is a signature key with what it is bound to.
type ListedSign struct {
	Sign
	BindNum      int `json:"bind_num"`       // APIs online
	LDAPIBindNum int `json:"ldapi_bind_num"` // custom backends
}

// SignSpec is what a caller says of a signature key. A key or secret that is
// left out is made up, in a change too.
type SignSpec struct {
	Name      string `json:"name"`      // 3 to 64 characters
	Type      string `json:"sign_type"` // SignHMAC unless given
	Key       string `json:"sign_key"`
	Secret    Secret `json:"sign_secret"`
	Algorithm string `json:"sign_algorithm,omitempty"` // of SignAES: aes-128-cfb, aes-256-cfb
}

// SignQuery is a list of signature keys.
type SignQuery struct {
	list.Paging
	ID      string       `query:"id"`
	Name    string       `query:"name"`           // a part of it
	Precise list.Precise `query:"precise_search"` // name
}

type signRow struct {
	Scope core.Scope
	Sign
}

type signs struct {
	signRows     *core.Resource[signRow]
	signsByTime  *mirror.Order[signRow] // newest first
	signBindings bindings
}

func declareSigns(c *core.Core, s *system) signs {
	x := core.Declare(c, "sign", "APIG.3017", func(r *signRow) table.Key { return r.Scope.Key(r.ID) })
	x.Unique("name", "APIG.3207", func(r *signRow) table.Key { return r.Scope.Key(r.Name) })
	return signs{
		signRows:     x,
		signsByTime:  x.Order(func(r *signRow) table.Key { return table.Desc(table.Time(r.Created)) }),
		signBindings: declareBindings(c, "sign_binding", "APIG.3018", x, "APIG.3480", s.pubs),
	}
}

// signForm is how the key and the secret of a type are written.
type signForm struct{ key, secret signWord }

// signWord is a word of a to b characters: letters, and digits and those in more
// after the first, which may be one of those in first too.
type signWord struct {
	a, b        int
	first, more string
}

const (
	digits   = "0123456789"
	keyMore  = digits + "_-"
	wordMore = keyMore + "!@#$%"
)

// signForms are the forms by type; those of SignAES by algorithm.
var signForms = map[string]signForm{
	SignHMAC:      {signWord{8, 32, digits, keyMore}, signWord{16, 64, digits, wordMore}},
	SignBasic:     {signWord{4, 32, "", keyMore}, signWord{8, 64, digits, wordMore}},
	SignPublicKey: {signWord{8, 512, digits + "+/", keyMore + "+/="}, signWord{15, 2048, digits + "+/", wordMore + "+/="}},
	"aes-128-cfb": {signWord{16, 16, digits + "+/", wordMore + "+/="}, signWord{16, 16, digits + "+/", wordMore + "+/="}},
	"aes-256-cfb": {signWord{32, 32, digits + "+/", wordMore + "+/="}, signWord{16, 16, digits + "+/", wordMore + "+/="}},
}

func (f signWord) fits(s string) bool {
	for i, c := range []byte(s) {
		others := f.more
		if i == 0 {
			others = f.first
		}
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return f.a <= len(s) && len(s) <= f.b
}

// made is a word that fits: hexadecimal digits, the first a letter, 32 unless
// that is too long.
func (f signWord) made() string {
	return id.Random(1, "abcdef") + id.Random(min(f.b, 32)-1, digits+"abcdef")
}

// settled is the key that the caller asks for, with what he left out.
func (in SignSpec) settled() (Sign, error) {
	if in.Type == "" {
		in.Type = SignHMAC // the document is silent; its sample has none and answers so
	}
	k := check.Body()
	k.Name("name", in.Name, 3, 64)
	k.Enum("sign_type", in.Type, SignHMAC, SignBasic, SignPublicKey, SignAES)
	kind := in.Type
	if in.Type == SignAES {
		k.Enum("sign_algorithm", in.Algorithm, "aes-128-cfb", "aes-256-cfb")
		kind = in.Algorithm
	} else {
		in.Algorithm = ""
	}
	if k.Err() != nil {
		return Sign{}, k.Err()
	}
	form := signForms[kind]
	if in.Key == "" {
		in.Key = form.key.made()
	}
	if in.Secret == "" {
		in.Secret = Secret(form.secret.made())
	}
	k.Invalid("sign_key", "", form.key.fits(in.Key)) // neither value is for errors
	k.Invalid("sign_secret", "", form.secret.fits(string(in.Secret)))
	return Sign{Name: in.Name, Type: in.Type, Key: in.Key, Secret: in.Secret, Algorithm: in.Algorithm}, k.Err()
}

// gated refuses a type of keys whose feature the instance does not have.
func (c Control) gated(w storage.Writer, kind string) error {
	switch {
	case kind == SignBasic:
		return c.requires(w, FeatureSignBasic)
	case kind == SignPublicKey:
		return c.requires(w, FeaturePublicKey)
	case kind == SignAES && !of(c.sys).config.Newer:
		return fault.Of("APIG.3458").Naming("sign_type", kind)
	}
	return nil
}

// CreateSign makes a signature key (4.10.1).
func (c Control) CreateSign(ctx context.Context, in SignSpec) (Sign, error) {
	row := signRow{Scope: c.Scope}
	var err error
	if row.Sign, err = in.settled(); err != nil {
		return Sign{}, err
	}
	row.ID, row.Created = id.Hex(), c.Now()
	row.Updated = row.Created
	return write(ctx, c, func(w storage.Writer) (Sign, error) {
		if err := of(c.sys).signRows.Insert(w, row); err != nil {
			return Sign{}, err
		}
		if err := of(c.sys).signRows.Cap(w, c.Scope, of(c.sys).limit(SignLimit), "APIG.3105"); err != nil {
			return Sign{}, err
		}
		return row.Sign, c.gated(w, row.Type)
	})
}

// UpdateSign replaces a signature key (4.10.2). Without a key or a secret it
// gets new ones, as in the document's sample.
func (c Control) UpdateSign(ctx context.Context, id string, in SignSpec) (Sign, error) {
	return write(ctx, c, func(w storage.Writer) (Sign, error) {
		row, err := of(c.sys).signRows.Change(w, c.Scope, id, func(r *signRow) error {
			next, err := in.settled()
			if err != nil {
				return err
			}
			next.ID, next.Created, next.Updated = r.ID, r.Created, c.Now()
			r.Sign = next
			return nil
		})
		if err != nil {
			return Sign{}, err
		}
		return row.Sign, c.gated(w, row.Type)
	})
}

// DeleteSign removes a signature key that is not bound (4.10.3). One that is
// bound to an API which is offline now is bound.
func (c Control) DeleteSign(ctx context.Context, id string) error {
	return c.Write(ctx, func(w storage.Writer) error { return of(c.sys).signRows.Delete(w, c.Scope, id) })
}

// Signs lists the signature keys, the newest first (4.10.4).
func (c Control) Signs(_ context.Context, q SignQuery) (list.Page[ListedSign], error) {
	st, err := c.Read()
	if err != nil {
		return list.Page[ListedSign]{}, err
	}
	k := check.Query()
	window := k.PolicyPage(q.Paging)
	k.Length("name", q.Name, 0, 64)
	k.Precise(q.Precise, "name")
	if k.Err() != nil {
		return list.Page[ListedSign]{}, k.Err()
	}
	rows := of(c.sys).signsByTime.In(st, c.Scope.Key())
	if whole := q.Precise.Has("name"); q.ID != "" || q.Name != "" {
		rows = rows.Where(func(r *signRow) bool { return list.Is(r.ID, q.ID) && list.Matches(r.Name, q.Name, whole) })
	}
	page := rows.Page(window)
	return list.Of(page.Rows, page.Total, func(r *signRow) ListedSign {
		return ListedSign{Sign: r.Sign, BindNum: of(c.sys).signBindings.countAPIs(st, of(c.sys), c.Scope, r.ID)}
	}), nil
}
