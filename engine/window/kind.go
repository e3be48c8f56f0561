package window

import (
	"strconv"

	"millrace/engine/event"
)

// Kind is what a window holds. Its number is part of the formats of the state store and the
// rollup store.
type Kind uint8

// The kinds.
const (
	// Minute holds the events of a minute: events, pageviews, visitors, revenue.
	Minute Kind = iota
	// Hour holds the same of an hour, folded from its minutes once they have closed, so that long
	// ranges read few points. Its cardinality budget is its own.
	Hour
	// Visits holds the visits that began in a quarter of an hour: visits, bounces, seconds, views.
	// A quarter, because every time zone in use is a whole number of quarters away from UTC, so
	// that days of any zone are sums of windows; an hour of visits is the sum of four.
	Visits
	NumKinds
)

var kinds = [NumKinds]struct {
	name   string
	suffix string // of measurements
	mark   string // of record keys
	length event.Time
}{
	Minute: {"minute", "", "", event.Minute},
	Hour:   {"hour", "_hour", "h", event.Hour},
	Visits: {"visits", "_visits", "v", 15 * event.Minute},
}

// String returns the kind's name.
func (k Kind) String() string {
	if k >= NumKinds {
		return "unknown"
	}
	return kinds[k].name
}

// Length returns how much of event time a window of the kind covers.
func (k Kind) Length() event.Time { return kinds[k].length }

// Measurement returns the name of the measurement that holds a family's points in windows of a
// kind: the family's name, followed by "_hour" or "_visits".
func Measurement(k Kind, f Family) string { return families[f].name + kinds[k].suffix }

// ParseMeasurement is the inverse of Measurement.
func ParseMeasurement(name string) (k Kind, f Family, ok bool) {
	m, ok := measurements[name]
	return m.kind, m.family, ok
}

type measurement struct {
	kind   Kind
	family Family
}

// measurements holds those that there are, by name.
var measurements = allMeasurements()

func allMeasurements() map[string]measurement {
	m := make(map[string]measurement)
	for k := range NumKinds {
		for f := range NumFamilies {
			if f.In(k) {
				m[Measurement(k, f)] = measurement{k, f}
			}
		}
	}
	return m
}

// Topic is the topic of fired windows and of progress.
const Topic = "millrace.windows"

// RecordKey returns the key of a window's records in the topic millrace.windows: site|29000000 with
// the number of the minute it starts with, site|h29000000 for an hour, site|v29000000 for visits,
// and |shard where it is not 0.
func RecordKey(k Kind, site string, start event.Time, shard uint16) string {
	key := site + "|" + kinds[k].mark + strconv.FormatInt(int64(start/event.Minute), 10)
	if shard != 0 {
		key += "|" + strconv.Itoa(int(shard))
	}
	return key
}
