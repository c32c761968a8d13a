package check

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

const maxLimit = 500

// Page is the window of a list of chapters 4.1 to 4.6 and 4.22 to 4.25: 1 to
// 500 rows, 20 unless asked for. The document is silent on any other limit: one
// below is APIG.2002, one above 2003.
func (c *Check) Page(p list.Paging) table.Window {
	w := window(p, 20)
	c.Bounds("limit", int64(w.Limit), 1, maxLimit)
	return w
}

// PolicyPage is the window of a list of chapters 4.7 to 4.18: as Page, but any
// other limit is a wrong value, APIG.2012.
func (c *Check) PolicyPage(p list.Paging) table.Window {
	w := window(p, 20)
	if w.Limit < 1 || w.Limit > maxLimit {
		c.fail(inPath, "limit", strconv.Itoa(w.Limit))
	}
	return w
}

// CommonPage is the window of a list of chapters 3.1 to 3.3: 1 to 500 rows,
// 10 unless asked for. Here an offset below 0 is refused: that it counts as 0
// is said in chapter 4 alone.
func (c *Check) CommonPage(p list.Paging) table.Window {
	w := window(p, 10)
	c.Range("limit", int64(w.Limit), 1, maxLimit)
	c.Range("offset", int64(p.Offset), 0, math.MaxInt64)
	return w
}

func window(p list.Paging, limit int) table.Window {
	if p.Limit != nil {
		limit = *p.Limit
	}
	return table.Window{Offset: max(p.Offset, 0), Limit: limit}
}

// Precise refuses a precise_search that names anything but the filters.
func (c *Check) Precise(p list.Precise, filters ...string) {
	for s := range p.Names {
		c.Enum("precise_search", s, filters...)
	}
}

// Action requires the query parameter action to be one of the given words, as
// the batch calls do. Anything else is APIG.2011, in words of their own.
func Action(action string, words ...string) error {
	if slices.Contains(words, action) {
		return nil
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	return fault.Of(inBody).Naming("action", action).
		Saying("Invalid parameter value: parameter action should be %s", strings.Join(quoted, " or "))
}
