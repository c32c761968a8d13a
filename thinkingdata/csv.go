package thinkingdata

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The columns of the blacklist as CSV. The documents show them in a picture
// only; these are our choice.
const (
	loginColumn   = "loginName"
	projectColumn = "blackProjectId"
)

// BlackLine is an entry with the line of the CSV text that it stands on, the
// first being 1.
type BlackLine struct {
	BlackEntry
	Line int
}

// ParseBlacklist reads a blacklist from CSV: the columns loginName and
// blackProjectId, perhaps under a header of these names; UTF-8, perhaps with a
// byte order mark; lines that end in LF or CRLF. A project that is empty or left
// out is 0, for all. Lines without text are skipped. The first bad line fails
// the whole: the error names it.
func ParseBlacklist(text []byte) ([]BlackLine, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, Missing("file")
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1
	r.ReuseRecord = true
	var lines []BlackLine
	for first := true; ; first = false {
		record, err := r.Read()
		if err == io.EOF {
			return lines, nil
		}
		if e, ok := errors.AsType[*csv.ParseError](err); ok {
			return nil, badLine(e.StartLine, "", "is not CSV: "+e.Err.Error())
		}
		if err != nil {
			return nil, internal(err)
		}
		line, _ := r.FieldPos(0)
		for i, cell := range record {
			if !utf8.ValidString(cell) {
				return nil, badLine(line, cell, "is not UTF-8")
			}
			record[i] = cleanCell(cell)
		}
		if first && isHeader(record) || isBlank(record) {
			continue
		}
		entry, err := parseEntry(line, record)
		if err != nil {
			return nil, err
		}
		lines = append(lines, BlackLine{entry, line})
	}
}

func parseEntry(line int, record []string) (BlackEntry, error) {
	if len(record) > 2 && !isBlank(record[2:]) {
		return BlackEntry{}, badLine(line, record[2], "has more than two columns")
	}
	if record[0] == "" {
		return BlackEntry{}, badLine(line, "", "has no "+loginColumn)
	}
	e := BlackEntry{LoginName: record[0]}
	if len(record) > 1 && record[1] != "" {
		n, err := strconv.ParseInt(record[1], 10, 64)
		if err != nil || n < 0 {
			return BlackEntry{}, badLine(line, record[1], "has "+strconv.Quote(clip(record[1]))+" for "+projectColumn)
		}
		e.Project = ProjectID(n)
	}
	return e, nil
}

func isHeader(record []string) bool {
	return strings.EqualFold(record[0], loginColumn) &&
		(len(record) == 1 || strings.EqualFold(record[1], projectColumn))
}

func isBlank(record []string) bool {
	for _, cell := range record {
		if cell != "" {
			return false
		}
	}
	return true
}

// formulas are what makes a spreadsheet take a cell for a formula. Of these a
// login name may begin with - and @.
const formulas = "=+-@"

// cleanCell trims a cell and takes off the apostrophe that hides a formula.
func cleanCell(cell string) string {
	cell = strings.TrimSpace(cell)
	if len(cell) > 1 && cell[0] == '\'' && strings.IndexByte(formulas, cell[1]) >= 0 {
		return cell[1:]
	}
	return cell
}

// FormatBlacklist writes entries as [ParseBlacklist] reads them, with the
// header. Cells are quoted, and one that a spreadsheet would take for a formula
// begins with an apostrophe.
func FormatBlacklist(entries []BlackEntry) []byte {
	var b bytes.Buffer
	b.WriteString(loginColumn + "," + projectColumn + "\n")
	for _, e := range entries {
		fmt.Fprintf(&b, "%s,%s\n", quoteCell(e.LoginName), quoteCell(strconv.FormatInt(int64(e.Project), 10)))
	}
	return b.Bytes()
}

func quoteCell(cell string) string {
	if cell != "" && strings.IndexByte(formulas, cell[0]) >= 0 {
		cell = "'" + cell
	}
	return `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
}

func badLine(line int, value, why string) *Error {
	return &Error{
		Code: BadParameter, Message: fmt.Sprintf("The parameter (file) is wrong: line %d %s", line, why),
		Param: "file", Value: clip(value),
	}
}
