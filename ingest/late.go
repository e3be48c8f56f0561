package ingest

import (
	"strings"
	"sync"

	"millrace/engine/event"
)

const (
	// lateAfter is how old an event is at least, when it is accepted, that may belong to a window
	// that has been final: less than the grace with which the engine's minutes fire.
	lateAfter = event.Second
	// mostLateSites is of how many sites late events are remembered by site, and mostLateTimes how
	// many times of each. Past that they are remembered as of any site, and two times as one.
	mostLateSites, mostLateTimes = 4096, 64
)

// lateEvents remembers when events were accepted late, and how old the oldest was, so that a query
// in the same process can tell that numbers of a range that is over are on their way.
type lateEvents struct {
	mu    sync.Mutex
	sites map[string][]lateTime // "" is any
}

// lateTime is the late events that were accepted within a minute, or several.
type lateTime struct {
	at       event.Time // when the last one was
	earliest event.Time // of their times
}

// note takes in an event that is accepted, if it is late.
func (l *lateEvents) note(site string, of, received event.Time) {
	if of <= received-lateAfter { // hardly ever
		l.add(site, of, received)
	}
}

// add takes in a late event.
func (l *lateEvents) add(site string, of, received event.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sites == nil {
		l.sites = map[string][]lateTime{}
	}
	list, ok := l.sites[site]
	if !ok && len(l.sites) >= mostLateSites {
		site, list = "", l.sites[""]
	}
	n := len(list)
	if n > 0 && list[n-1].at.Floor(event.Minute) == received.Floor(event.Minute) {
		last := &list[n-1]
		last.at, last.earliest = max(last.at, received), min(last.earliest, of)
		return
	}
	if n == mostLateTimes {
		list[1].earliest = min(list[0].earliest, list[1].earliest)
		list = append(list[:0], list[1:]...)
	}
	l.sites[strings.Clone(site)] = append(list, lateTime{received, of})
}

// since returns the earliest time of the events of a site that were accepted at or after an
// instant, if it is before another.
func (l *lateEvents) since(site string, since, before event.Time) (earliest event.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	earliest = before
	for _, list := range [...][]lateTime{l.sites[site], l.sites[""]} {
		for _, t := range list {
			if t.at >= since {
				earliest = min(earliest, t.earliest)
			}
		}
	}
	return earliest, earliest < before
}

// Late returns the earliest time of the events of a site that the collector has accepted late, at
// or after an instant, if it is before another.
func (c *Collector) Late(site string, since, before event.Time) (earliest event.Time, ok bool) {
	return c.late.since(site, since, before)
}
