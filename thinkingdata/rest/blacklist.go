package rest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	td "github.com/gatehouse-go/gatehouse/thinkingdata"
)

// blacklistCalls are the calls on the blacklist ("IV. Dashboard Sharing
// Blacklist").
func blacklistCalls(maxCSV int64) []surface.Operation {
	return []surface.Operation{
		post(td.AddBlack, addBlack),
		post(td.AddBlackList, addBlackList, surface.MaxBody(maxCSV)),
		post(td.AddBlackGroups, addBlackGroups),
		post(td.CancelBlack, cancelBlack),
		post(td.DownloadBlack, downloadBlack),
	}
}

func addBlack(ctx context.Context, in struct {
	LoginName text         `query:"loginName" bind:"required"`
	ProjectID td.ProjectID `query:"blackProjectId" bind:"required"`
}) (surface.None, error) {
	return surface.None{}, caller(ctx).AddBlack(ctx, td.BlackEntry{LoginName: string(in.LoginName), Project: in.ProjectID})
}

// addBlackList takes the file as a part of a multipart form or as the body. The
// documents print the content type of JSON for it, so none is believed but that
// of a form.
func addBlackList(ctx context.Context, in struct{ Request *http.Request }) (surface.None, error) {
	data, err := surface.ReadBody(in.Request)
	if err != nil {
		return surface.None{}, err
	}
	media, params, _ := mime.ParseMediaType(in.Request.Header.Get("Content-Type"))
	if media == "multipart/form-data" {
		if data, err = filePart(data, params["boundary"]); err != nil {
			return surface.None{}, err
		}
	}
	return surface.None{}, caller(ctx).ImportBlack(ctx, data)
}

// filePart returns the part named file of a multipart form.
func filePart(body []byte, boundary string) ([]byte, error) {
	const field = "file"
	if boundary == "" {
		return nil, td.Malformed(field, "", "is wrong: the form has no boundary")
	}
	form := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, td.Missing(field)
		}
		if err != nil {
			return nil, td.Malformed(field, "", "is wrong: the body is no multipart form")
		}
		if part.FormName() != field {
			continue
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, td.Malformed(field, "", "is wrong: the body is no multipart form")
		}
		return data, nil
	}
}

// groupIDs is a list of numbers in one parameter: [1,2], or 1,2.
type groupIDs []td.GroupID

// Want ends the sentence of a binding error.
func (*groupIDs) Want() string { return "a list of numbers" }

var errGroupIDs = errors.New("not a list of numbers")

// UnmarshalText implements [encoding.TextUnmarshaler].
func (g *groupIDs) UnmarshalText(b []byte) error {
	list := strings.TrimSpace(string(b))
	if inner, opened := strings.CutPrefix(list, "["); opened {
		var closed bool
		if list, closed = strings.CutSuffix(inner, "]"); !closed {
			return errGroupIDs
		}
	}
	*g = nil
	if strings.TrimSpace(list) == "" {
		return errBlank
	}
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if n := len(item); n > 2 && item[0] == '"' && item[n-1] == '"' {
			item = item[1 : n-1]
		}
		id, err := strconv.ParseInt(item, 10, 64)
		if err != nil {
			return errGroupIDs
		}
		*g = append(*g, td.GroupID(id))
	}
	return nil
}

func addBlackGroups(ctx context.Context, in struct {
	IDs  groupIDs `query:"groupIdList" bind:"required"`
	Type int      `query:"groupType" bind:"required"`
}) (surface.None, error) {
	return surface.None{}, caller(ctx).AddBlackGroups(ctx, in.IDs, in.Type)
}

func cancelBlack(ctx context.Context, in struct {
	LoginName text          `query:"loginName" bind:"required"`
	ProjectID *td.ProjectID `query:"blackProjectId"`
}) (surface.None, error) {
	return surface.None{}, caller(ctx).CancelBlack(ctx, string(in.LoginName), in.ProjectID)
}

func downloadBlack(ctx context.Context, _ surface.None) (surface.Raw, error) {
	text, err := caller(ctx).ExportBlack(ctx)
	if err != nil {
		return surface.Raw{}, err
	}
	file := surface.Bytes("text/csv; charset=utf-8", text)
	file.Header = http.Header{"Content-Disposition": {`attachment; filename="share-black.csv"`}}
	return file, nil
}
