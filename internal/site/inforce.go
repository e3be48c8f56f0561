package site

import (
	"fmt"
	"slices"
	"strings"
)

// InForce returns what is in force of next in a process that started with s, and what waits for the
// next start, in words for the log.
//
// Everything is in force at once but what is counted by: shards, goals, currency, and what is one
// page and who is a bot. A site's
// shards decide in which partition a visitor is, so a change splits the visits of that moment,
// and collectors have to change together. Goals and currency are part of the numbers: the engine
// counts a record again when a process dies or hands its partition over, and has to count it as it
// did. With goals that change in between, and at another instant in each process, the same log
// would give other numbers each time, and no replay the same. At a start everything counted before
// is committed, and the operator knows when it was.
func (s *Sites) InForce(next *Sites) (now *Sites, waiting []string) {
	now = &Sites{}
	*now = *next
	now.list, now.names, now.index = slices.Clone(next.list), slices.Clone(next.names), map[string]int{}
	for i := range now.list {
		now.index[now.list[i].ID] = i
	}
	// A site that is no longer in the file, but taken because any site is, keeps its parts too.
	for _, of := range s.list {
		if _, ok := now.index[of.ID]; ok {
			continue
		}
		if of.parts() > 1 {
			waiting = append(waiting, fmt.Sprintf("shards of %s", of.ID))
			if now.Any {
				now.name(of.ID)
			}
		}
		if none := next.Of(of.ID); !of.countsAs(&none) {
			waiting = append(waiting, of.differs(&none)+" of "+of.ID)
		}
	}
	for i := range now.list {
		of, was := &now.list[i], s.Of(now.list[i].ID)
		if _, listed := next.index[of.ID]; listed && of.parts() != was.parts() {
			waiting = append(waiting, fmt.Sprintf("shards of %s", of.ID))
		}
		if _, listed := next.index[of.ID]; listed && !of.countsAs(&was) {
			waiting = append(waiting, of.differs(&was)+" of "+of.ID)
		}
		of.keep(&was)
	}
	if !now.Default.countsAs(&s.Default) {
		waiting = append(waiting, now.Default.differs(&s.Default)+" of defaults")
	}
	now.Default.keep(&s.Default)
	now.named = nil
	for _, id := range now.names {
		now.named = append(now.named, now.Of(id))
	}
	return now, waiting
}

// AfterWaiting says what to do for what InForce says is waiting.
const AfterWaiting = "start all processes of serve again, for shards all collectors together; " +
	"then millrace replay --sites-file brings new goals, currencies, spelling and bots to the past"

// parts is Shards; 0 and 1 are the same.
func (s *Site) parts() uint16 { return max(s.Shards, 1) }

// countsAs reports whether what is counted by is as of another site.
func (s *Site) countsAs(other *Site) bool { return s.differs(other) == "" }

// differs names what of the settings that are counted by is not as of another site.
func (s *Site) differs(other *Site) string {
	var what []string
	if !slices.EqualFunc(s.Goals, other.Goals, func(a, b Goal) bool { return a.Name == b.Name && a.Event == b.Event && a.Page == b.Page }) {
		what = append(what, "goals")
	}
	if s.Currency != other.Currency {
		what = append(what, "currency")
	}
	if !s.Spelling.Equal(&other.Spelling) {
		what = append(what, "spelling")
	}
	if s.Bots != other.Bots {
		what = append(what, "bots")
	}
	return strings.Join(what, " and ")
}

// keep takes over what is counted by.
func (s *Site) keep(was *Site) {
	s.Shards, s.Goals, s.Currency, s.Spelling, s.Bots = was.Shards, was.Goals, was.Currency, was.Spelling, was.Bots
}
