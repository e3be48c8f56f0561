package oracle

import "millrace/engine/event"

// ids are those that have been counted, by when that was: in minutes that have gone by in receive
// times, of which a step of more than one and a half horizons is one.
type ids struct {
	horizon      event.Time // minutes
	latest, gone event.Time // the minute of the greatest receive time; what has gone by until then
	seen         map[siteID]event.Time
}

// siteID is an id of a site: two sites may send the same.
type siteID struct{ site, id string }

// again reports whether an event is a copy of one that was counted no longer ago than the horizon.
// One without an id is none.
func (s *ids) again(e *Event) bool {
	if minute := e.Received / event.Minute; minute > s.latest {
		step := minute - s.latest
		if step > s.horizon*3/2 {
			step = 1
		}
		s.latest, s.gone = minute, s.gone+step
	}
	if e.ID == "" {
		return false
	}
	key := siteID{e.Site, e.ID}
	if at, ok := s.seen[key]; ok && s.gone-at <= s.horizon {
		return true
	}
	s.seen[key] = s.gone
	return false
}
