package enrich

import (
	"slices"
	"strings"

	"millrace/engine/window"
	"millrace/internal/site"
)

// Goals are the goals of all sites, and what else they are counted by: the currencies of those that have told theirs (revenue in
// another does not count as such), which of their paths are one page, and what bots count as. They never change, and
// any goroutine may use them.
type Goals struct {
	sites map[string]*siteGoals
	other siteGoals // of all others
}

// siteGoals are what one site is counted by, ready to be looked up. The lists of names are sorted and distinct.
type siteGoals struct {
	currency string // "" takes all
	spelling site.Spelling
	bots     site.Bots
	byEvent  map[string][]string
	byPage   map[string][]string // pages without a wildcard
	patterns []pagePattern       // in order of their names
}

type pagePattern struct {
	*site.Pattern
	name []string // one
}

// NewGoals returns what sites are counted by that site.Read has read, and all others by the default; nil if it is nothing.
func NewGoals(sites []site.Site, other site.Site) *Goals {
	g := &Goals{sites: make(map[string]*siteGoals), other: siteGoals{spelling: other.Spelling, bots: other.Bots}}
	for i := range sites {
		of := &sites[i]
		s := &siteGoals{
			currency: of.Currency, spelling: of.Spelling, bots: of.Bots,
			byEvent: map[string][]string{}, byPage: map[string][]string{},
		}
		for _, goal := range of.Goals {
			s.add(goal)
		}
		if len(of.Goals) > 0 || of.Currency != "" || !s.sameRules(&g.other) {
			g.sites[of.ID] = s
		}
	}
	if len(g.sites) == 0 && g.other.sameRules(&noGoals) {
		return nil
	}
	return g
}

// noGoals is what a site without settings is counted by.
var noGoals siteGoals

func (s *siteGoals) sameRules(other *siteGoals) bool {
	return s.bots == other.bots && s.spelling.Equal(&other.spelling)
}

// of returns what a site is counted by.
func (g *Goals) of(site string) *siteGoals {
	if g == nil {
		return &noGoals
	}
	if s := g.sites[site]; s != nil {
		return s
	}
	return &g.other
}

// takes reports whether revenue in a currency counts for a site.
func (s *siteGoals) takes(currency string) bool { return s.currency == "" || s.currency == currency }

func (s *siteGoals) add(g site.Goal) {
	switch {
	case g.Pattern != nil:
		s.patterns = append(s.patterns, pagePattern{g.Pattern, []string{g.Name}})
	case g.Page != "":
		s.byPage[g.Page] = union(s.byPage[g.Page], []string{g.Name})
	default:
		s.byEvent[g.Event] = union(s.byEvent[g.Event], []string{g.Name})
	}
}

// reached returns the names of the goals that the event of a row reaches, sorted and distinct. The caller must not
// change them. It allocates for an event that reaches several goals by different rules only.
func (s *siteGoals) reached(r *window.Row) []string {
	return s.find(r.Dims[window.Name], r.Dims[window.Page], r.Flags&window.PageviewRow != 0)
}

// Reached returns what finds the goals of a site that an event reaches, by its name, its page and whether it is a view of
// it: their names, sorted and distinct, which the caller must not change. It is nil if the site has none.
func (g *Goals) Reached(site string) func(name, page string, pageview bool) []string {
	s := g.of(site)
	if len(s.byEvent)+len(s.byPage)+len(s.patterns) == 0 {
		return nil
	}
	return s.find
}

func (s *siteGoals) find(name, page string, pageview bool) []string {
	names := s.byEvent[name]
	if !pageview {
		return names
	}
	names = union(names, s.byPage[page])
	for i := range s.patterns {
		if p := &s.patterns[i]; p.Matches(page) {
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
