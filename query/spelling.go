package query

import (
	"slices"
	"strings"

	"millrace/engine/window"
	"millrace/internal/referrer"
	"millrace/internal/spelling"
)

// spell makes the clauses of is and contains those in the spelling that is stored, so that a value
// in any spelling, or as it was sent, finds what came of it. A clause that is spelled otherwise
// stays beside it: what an older build has stored is found too. Of a goal it does not, so that one
// goal stays one.
//
// What the engine stores is its own only spelling, so that "is" with the value of a row has the
// numbers of that row. Hence parameters are not unescaped: a tag may be stored as "a+b" or "a%20b"
// itself, beside "a b".
//
// Regular expressions stay as they are: part of one has no spelling. They are matched
// with what reports show.
func (f *Filter) spell() {
	if f.op == Matches || f.dim.label != nil {
		return
	}
	var all []string
	for _, c := range f.clauses {
		list := f.spellings(c)
		if len(list) == 0 || f.dim.dim != window.Goal {
			list = append(list, c)
		}
		for _, s := range list {
			if !slices.Contains(all, s) && (s != "" || c == "") {
				all = append(all, s)
			}
		}
	}
	f.clauses = all
}

// spellings returns other spellings of a clause, as the engine writes them.
func (f *Filter) spellings(c string) []string {
	if c == "" {
		return nil // is (none) for the engine, and no value at all here
	}
	if f.op == Contains {
		return partSpellings(f.dim.dim, c)
	}
	switch f.dim.dim {
	case window.Page, window.EntryPage, window.ExitPage:
		return []string{spelling.Value(spelling.Path(c))}
	case window.Hostname:
		return []string{spelling.Value(spelling.Hostname(c))}
	case window.Referrer:
		return []string{spelling.Value(spelling.Referrer(c))}
	case window.Source:
		return []string{referrer.NameOfTag(spelling.Value(c))}
	case window.UTMSource, window.UTMMedium, window.UTMCampaign, window.UTMContent, window.UTMTerm, window.Name, window.Goal, window.PropValue:
		return []string{spelling.Value(c)}
	}
	return nil
}

// partSpellings is spellings for a part of a value. None is shorter by what stands at an end:
// "shop." is no part of "workshop".
func partSpellings(d window.Dim, c string) []string {
	switch d {
	case window.Page, window.EntryPage, window.ExitPage:
		return []string{spelling.PathPart(c)}
	case window.Hostname:
		host := strings.ToLower(spelling.Part(c))
		if strings.Contains(host, "xn--") {
			return []string{spelling.Host(host)}
		}
		return []string{host}
	case window.Referrer:
		if strings.Contains(c, "://") {
			return []string{spelling.Referrer(c)}
		}
		return []string{spelling.PathPart(c)}
	case window.Source, window.UTMSource, window.UTMMedium, window.UTMCampaign, window.UTMContent, window.UTMTerm,
		window.Name, window.Goal, window.PropValue:
		return []string{spelling.Part(c)}
	}
	return nil
}
