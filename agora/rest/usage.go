package rest

import (
	"context"
	"strings"

	"github.com/gatehouse-go/gatehouse/agora"
	"github.com/gatehouse-go/gatehouse/internal/surface"
)

// The usage call ("Dashboard RESTful API", section 4).
var usageCalls = []surface.Operation{
	surface.Op("GET /usage", usage, surface.Answering(envelope{"error_msg"})),
}

type dailyMinutes struct {
	Date  int   `json:"date"` // 20150101
	Audio int64 `json:"audio"`
	SD    int64 `json:"sd"`
	HD    int64 `json:"hd"`
	HDP   int64 `json:"hdp"`
}

type projectMinutes struct {
	Project agora.ProjectID `json:"project"`
	Daily   []dailyMinutes  `json:"daily"`
}

type usages struct {
	Usages []projectMinutes `json:"usages"`
}

// projectIDs is a list in one text, "id1,id2", in the query as in a body.
type projectIDs []agora.ProjectID

// UnmarshalText implements [encoding.TextUnmarshaler].
func (l *projectIDs) UnmarshalText(text []byte) error {
	*l = nil
	if len(text) == 0 {
		return nil // as good as absent
	}
	for id := range strings.SplitSeq(string(text), ",") {
		*l = append(*l, agora.ProjectID(id))
	}
	return nil
}

func usage(ctx context.Context, in struct {
	From     string     `query:"from_date" json:"from_date" bind:"required"`
	To       string     `query:"to_date" json:"to_date" bind:"required"`
	Projects projectIDs `query:"projects" json:"projects"`
}) (usages, error) {
	q := agora.UsageQuery{Projects: in.Projects}
	var err error
	if q.From, err = agora.ParseDay("from_date", in.From); err != nil {
		return usages{}, err
	}
	if q.To, err = agora.ParseDay("to_date", in.To); err != nil {
		return usages{}, err
	}
	found, err := account(ctx).Usage(ctx, q)
	answer := usages{Usages: make([]projectMinutes, len(found))}
	for i, p := range found {
		daily := make([]dailyMinutes, len(p.Daily))
		for j, d := range p.Daily {
			daily[j] = dailyMinutes{d.Day.Number(), d.Audio, d.SD, d.HD, d.HDP}
		}
		answer.Usages[i] = projectMinutes{p.Project, daily}
	}
	return answer, err
}
