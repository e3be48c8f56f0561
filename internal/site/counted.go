package site

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// countedSite is what of a site the engine counts by. The engine is given no more of it.
type countedSite struct {
	ID       string
	Goals    [][3]string // name, event, page
	Currency string
	Spelling Spelling
	Bots     bool // count as people
	DropBots bool `json:",omitempty"`
}

func countedOf(s *Site) countedSite {
	c := countedSite{ID: s.ID, Currency: s.Currency, Spelling: s.Spelling, Bots: s.Bots == BotsCounted, DropBots: s.Bots == BotsDropped}
	for _, g := range s.Goals {
		c.Goals = append(c.Goals, [3]string{g.Name, g.Event, g.Page})
	}
	slices.SortFunc(c.Goals, func(a, b [3]string) int { return slices.Compare(a[:], b[:]) })
	if len(c.Spelling.IndexPages) == 0 {
		c.Spelling.IndexPages = nil
	}
	return c
}

// CountedBy names what the engine counts these sites by: it is the same for two configurations that
// give the same numbers, however they are written, and whatever else they have.
func (s *Sites) CountedBy() string {
	other := countedOf(&s.Default)
	other.ID = ""
	all := []countedSite{other}
	for i := range s.list {
		c := countedOf(&s.list[i])
		plain := other
		plain.ID = c.ID
		if same(c, plain) {
			continue
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b countedSite) int { return cmp.Compare(a.ID, b.ID) })
	sum := sha256.Sum256(encodeCounted(all))
	return hex.EncodeToString(sum[:8])
}

func same(a, b countedSite) bool {
	return string(encodeCounted([]countedSite{a})) == string(encodeCounted([]countedSite{b}))
}

func encodeCounted(all []countedSite) []byte {
	text, _ := json.Marshal(all) // of texts and booleans: never fails
	return text
}
