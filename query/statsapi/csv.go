package statsapi

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// CSV returns the rows as CSV (RFC 4180): a head with the names, then dimensions and metrics of
// each row. Null is the empty field. Texts that a spreadsheet would run begin with an apostrophe.
func (a *Answer) CSV() []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rec := slices.Clone(a.Query.Dimensions)
	for _, m := range a.Query.Metrics {
		rec = append(rec, string(m))
	}
	for i, name := range rec {
		rec[i] = csvText(name)
	}
	w.Write(rec) // to memory: the error is that of Flush, which is none
	for _, r := range a.Results {
		rec = rec[:0]
		for _, v := range r.Dimensions {
			rec = append(rec, csvText(v))
		}
		for _, m := range r.Metrics {
			rec = append(rec, csvValue(m))
		}
		w.Write(rec)
	}
	w.Flush()
	return b.Bytes()
}

// formulaStarts are the characters with which a spreadsheet takes the text of a cell for a formula,
// those of full width among them, and white space that some pass over before they look.
const formulaStarts = "=+-@\t\r\n\u00a0\uff1d\uff0b\uff0d\uff20"

// csvText writes a value of a dimension, which any visitor can choose. One that a spreadsheet would
// run gets an apostrophe in front, which spreadsheets do not show (OWASP, "CSV Injection").
func csvText(s string) string {
	if first, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " ")); s != "" && strings.ContainsRune(formulaStarts, first) {
		return "'" + s
	}
	return s
}

// csvValue writes a metric: numbers without exponents, which not every spreadsheet reads.
func csvValue(m any) string {
	switch m := m.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(m, 'f', -1, 64)
	}
	return fmt.Sprint(m)
}
