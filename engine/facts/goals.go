package facts

import (
	"slices"
	"strings"

	"millrace/engine/window"
)

// Goal is something that a site wants its visitors to do.
type Goal struct {
	// Name is what reports call it. Goals of one site that have the same name are one goal, reached in several ways.
	Name string
	// Event is the name of the events that reach it, Page the path of the pages whose views do; exactly one is
	// set. In Page "*" stands for any characters but slashes and "**" for any characters, both also for none.
	Event, Page string
}

// Goals are the goals of all sites, and the currencies of those that have told theirs: revenue in another does not count as
// such. They never change, and any goroutine may use them.
type Goals struct {
	sites map[string]*siteGoals
}

// siteGoals are the goals of one site, ready to be looked up. The lists of names are sorted and distinct.
type siteGoals struct {
	currency string // "" takes all
	byEvent  map[string][]string
	byPage   map[string][]string // pages without a wildcard
	patterns []pagePattern       // in order of their names
}

type pagePattern struct {
	*pattern
	name []string // one
}

// Len returns the number of sites that have goals.
func (g *Goals) Len() int {
	if g == nil {
		return 0
	}
	return len(g.sites)
}

// takes reports whether revenue in a currency counts for a site.
func (g *Goals) takes(site, currency string) bool {
	if g == nil {
		return true
	}
	s := g.sites[site]
	return s == nil || s.currency == "" || s.currency == currency
}

// add adds a goal that was checked.
func (s *siteGoals) add(g Goal, p *pattern) {
	switch {
	case p != nil:
		s.patterns = append(s.patterns, pagePattern{p, []string{g.Name}})
	case g.Page != "":
		s.byPage[g.Page] = union(s.byPage[g.Page], []string{g.Name})
	default:
		s.byEvent[g.Event] = union(s.byEvent[g.Event], []string{g.Name})
	}
}

// reached returns the names of the goals that the event of a row reaches, sorted and distinct. The caller must not
// change them. It allocates for an event that reaches several goals by different rules only.
func (g *Goals) reached(site string, r *window.Row) []string {
	s := g.sites[site]
	if s == nil {
		return nil
	}
	names := s.byEvent[r.Dims[window.Name]]
	if r.Flags&window.PageviewRow == 0 {
		return names
	}
	page := r.Dims[window.Page]
	names = union(names, s.byPage[page])
	for i := range s.patterns {
		if p := &s.patterns[i]; p.matches(page) {
			names = union(names, p.name)
		}
	}
	return names
}

// union returns a or b if one of them holds the other, else a new list. Both are sorted and distinct.
func union(a, b []string) []string {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0 || len(b) == 1 && slices.Contains(a, b[0]):
		return a
	}
	all := slices.Concat(a, b)
	slices.SortFunc(all, strings.Compare)
	return slices.Compact(all)
}
