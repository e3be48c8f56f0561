package commits

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"millrace/engine/event"
	"millrace/engine/visit"
)

// Erasure takes everything that is known of a visitor of a site away, up to a moment: who comes back later is another matter.
//
// Hits, visits and joins of the visitor are erased that are of records before Until, whenever their events were, and those of later
// records whose events a collector took in before Before. The former are filtered out by readers and by merges, the latter
// are never written: whoever writes them has the erasure in the state that his commit is based on.
type Erasure struct {
	Site    string        `json:"site"`
	Visitor event.Visitor `json:"-"`
	// Before is the time of receipt, by collectors' clocks, before which events are erased.
	Before event.Time `json:"before"`
	// Until is the first record of the log that had no hits when the erasure was committed, and Version the version of that commit.
	// Both are 0 in a Change: Apply sets them.
	Until   int64 `json:"until,omitempty"`
	Version int64 `json:"at,omitempty"`
}

// erasureJSON is an Erasure with the visitor as text: JSON's numbers are not wide enough.
type erasureJSON struct {
	erasureFields
	Visitor string `json:"visitor"`
}

type erasureFields Erasure

// MarshalJSON implements json.Marshaler.
func (e Erasure) MarshalJSON() ([]byte, error) {
	return json.Marshal(erasureJSON{erasureFields(e), e.Visitor.String()})
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *Erasure) UnmarshalJSON(b []byte) (err error) {
	var of erasureJSON
	if err := json.Unmarshal(b, &of); err != nil {
		return err
	}
	*e = Erasure(of.erasureFields)
	e.Visitor, err = event.ParseVisitor(of.Visitor)
	return err
}

// Validate returns why there can be no such erasure.
func (e *Erasure) Validate() error {
	switch {
	case event.ValidSite(e.Site) != nil:
		return fmt.Errorf("erasure of %q: no site", e.Site)
	case e.Visitor == 0:
		return errors.New("erasure of no visitor")
	case e.Before <= 0 || e.Until < 0 || e.Version < 0:
		return fmt.Errorf("erasure of visitor %s before %d, until record %d", e.Visitor, e.Before, e.Until)
	}
	return nil
}

// erasedOf is who is erased.
type erasedOf struct {
	site    string
	visitor event.Visitor
}

// Erasures returns what is erased, a list by site and visitor. The caller must not change it.
func (s *State) Erasures() []Erasure { return s.erasures }

// Erased returns the erasure of a visitor, nil if there is none.
func (s *State) Erased(site string, visitor event.Visitor) *Erasure {
	i, found := slices.BinarySearchFunc(s.erasures, erasedOf{site, visitor}, func(e Erasure, of erasedOf) int {
		return cmp.Or(strings.Compare(e.Site, of.site), cmp.Compare(e.Visitor, of.visitor))
	})
	if !found {
		return nil
	}
	return &s.erasures[i]
}

// Lacks reports whether an erasure takes more away than the state has taken.
func (s *State) Lacks(e *Erasure) bool {
	known := s.Erased(e.Site, e.Visitor)
	return known == nil || known.Before < e.Before
}

// ErasedSum names the erasures: files that are made under others are other files. "" for none.
func (s *State) ErasedSum() string {
	if len(s.erasures) == 0 {
		return ""
	}
	b, err := json.Marshal(s.erasures)
	if err != nil {
		panic("BUG: erasures can't be encoded: " + err.Error())
	}
	return sum(b)[:16]
}

// Erase adds erasures as a commit on the state would: for who names files before that. REQUIRES: s is a Clone of the caller's.
func (s *State) Erase(list []Erasure) {
	next := s.Next
	s.Version++
	s.erase(list, next)
}

// erase adds erasures. Next is the first record that had no hits before the commit. The list is replaced, since other states share it.
func (s *State) erase(list []Erasure, next int64) {
	if len(list) == 0 {
		return
	}
	all := map[erasedOf]Erasure{}
	for _, e := range s.erasures {
		all[erasedOf{e.Site, e.Visitor}] = e
	}
	for _, e := range list {
		of := erasedOf{e.Site, e.Visitor}
		e.Before, e.Until, e.Version = max(e.Before, all[of].Before), next, s.Version
		all[of] = e
	}
	s.erasures = nil
	for _, e := range all {
		s.erasures = append(s.erasures, e)
	}
	slices.SortFunc(s.erasures, compareErasures)
}

func compareErasures(x, y Erasure) int {
	return cmp.Or(strings.Compare(x.Site, y.Site), cmp.Compare(x.Visitor, y.Visitor))
}

// eraseNone forgets up to which record is erased: there is none of these any more, and later ones may have their offsets.
func (s *State) eraseNone() {
	s.erasures = slices.Clone(s.erasures)
	for i := range s.erasures {
		s.erasures[i].Until = 0
	}
}

// OfRecord reports whether what an event of a record has brought is erased.
func (e *Erasure) OfRecord(offset int64) bool { return offset < e.Until }

// OfVisit reports whether a visit of the visitor is erased, or a join: one that an event of an erased record has begun.
func (e *Erasure) OfVisit(id visit.ID) bool {
	offset, _ := id.Place()
	return offset < e.Until
}

// MayHold reports whether a live file may hold rows that an erasure takes away: it is to be rewritten, or looked through and said to be
// clean (Change.Clean).
func (e *Erasure) MayHold(f *File) bool {
	return f.Clean < e.Version && f.First < e.Until && f.MinSite <= e.Site && e.Site <= f.MaxSite
}

// Unclean returns the live files that may hold rows which are erased, in order of their keys.
func (s *State) Unclean() (list []*File) {
	if len(s.erasures) == 0 {
		return nil
	}
	for _, t := range Tables() {
		for _, f := range s.Files(t) {
			if slices.ContainsFunc(s.erasures, func(e Erasure) bool { return e.MayHold(f) }) {
				list = append(list, f)
			}
		}
	}
	return list
}
