package statsapi

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
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
// those of full width and the small ones among them. Cells of blankStarts are cut in two, or read
// without these, by some.
const (
	formulaStarts = "=+-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"
	blankStarts   = "\t\r\n\u00a0"
)

// csvText writes a value of a dimension, which any visitor can choose. One that a spreadsheet would
// run gets an apostrophe in front, which spreadsheets do not show (OWASP, "CSV Injection").
func csvText(s string) string {
	first, _ := utf8.DecodeRuneInString(s)
	seen, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(s, isUnseen))
	if strings.ContainsRune(blankStarts, first) || strings.ContainsRune(formulaStarts, seen) {
		return "'" + s
	}
	return s
}

// isUnseen reports whether a character is a space, or one that is not seen, such as a byte order
// mark, which importing may take away.
func isUnseen(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }

// csvValue writes a metric: numbers without exponents, which not every spreadsheet reads.
func csvValue(m any) string {
	switch m := m.(type) {
	case nil:
		return ""
	case *Revenue:
		return csvValue(m.Value)
	case float64:
		return strconv.FormatFloat(m, 'f', -1, 64)
	}
	return fmt.Sprint(m)
}
