package engine

import (
	"cmp"
	"fmt"
	"strings"

	"millrace/engine/dedup"
	"millrace/engine/event"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// Rules say when windows fire and close, all in log time: event times against the watermark, and how long things take by the
// beat of the collectors' clocks (meta.step). The zero value of a field is its default.
type Rules struct {
	// Grace is how long after its end a window waits for stragglers before it fires as final. Default 2 s.
	Grace event.Time
	// Lateness is how long after its end a window still takes events in, and fires again. Default 1 h, at most 30 days; state
	// is kept as long, and the changelog for four times that.
	Lateness event.Time
	// EarlyEvery is how often open windows that have changed fire before their end. Default 5 s; negative turns
	// early firing off.
	EarlyEvery event.Time
	// SilentAfter is how long a collector may be silent before the watermark no longer waits for it. Default
	// 10 s: ten ticks missed.
	SilentAfter event.Time
	// VisitTimeout is the time without an event that ends a visit. Default 30 min. VisitLength is the most a visit lasts.
	// Default 12 h: the state of a visit must end some time. MaxVisits is the most live visits of a site in a
	// partition. Default 500,000; events of visitors past it are counted without a visit.
	VisitTimeout, VisitLength event.Time
	MaxVisits                 int
	// DedupHorizon is how long, in receive time of the log, the id of an event is remembered. Default 10 min.
	// MaxIDs is the most ids remembered in a partition. Default 4 million; past it the site with most forgets its oldest early.
	DedupHorizon event.Time
	MaxIDs       int
	// FiredBytes is the most, in bytes, that the names of the windows take that a record fires; what is due besides fires with
	// the records that follow. Default 4 MiB, some 100,000 sites: a delta, with that and what its record counts, must stay below
	// what brokers take, and above what a record can make due again, or what is due would never come to an end.
	FiredBytes int
	// Values is the most values that a window keeps of a family, per site; the rest is counted together. Default 500,
	// as many as a report shows many times over; more costs memory and series in proportion.
	Values int
}

const maxLateness = 30 * 24 * event.Hour

// WithDefaults returns the rules with each zero value replaced by its default.
func (r Rules) WithDefaults() Rules {
	v, ids := r.visits().WithDefaults(), r.ids().WithDefaults() // those of visits and ids are declared there
	r.VisitTimeout, r.VisitLength, r.Lateness, r.MaxVisits = v.Timeout, v.MaxLength, v.Lateness, v.MaxPerSite
	r.DedupHorizon, r.MaxIDs = ids.Horizon, ids.MaxIDs
	r.Grace = cmp.Or(r.Grace, 2*event.Second)
	r.EarlyEvery = cmp.Or(r.EarlyEvery, 5*event.Second)
	r.SilentAfter = cmp.Or(r.SilentAfter, 10*event.Second)
	r.FiredBytes = cmp.Or(r.FiredBytes, 4<<20)
	r.Values = cmp.Or(r.Values, 500)
	return r
}

// Visits returns the rules of visits.
func (r Rules) Visits() visit.Rules { return r.WithDefaults().visits() }

func (r Rules) visits() visit.Rules {
	return visit.Rules{Timeout: r.VisitTimeout, MaxLength: r.VisitLength, Lateness: r.Lateness, MaxPerSite: r.MaxVisits}
}

// IDs returns what of the rules is about duplicates.
func (r Rules) IDs() dedup.Options { return r.WithDefaults().ids() }

func (r Rules) ids() dedup.Options { return dedup.Options{Horizon: r.DedupHorizon, MaxIDs: r.MaxIDs} }

// Life returns how long, in log time, a record can matter to the state: until the windows of the visits it is in have
// fired for the last time, or the hour of its minute has, or its ids are forgotten.
func (r Rules) Life() event.Time {
	r = r.WithDefaults()
	visits := window.Visits.Length() + r.VisitLength + r.VisitTimeout
	// Two minutes are the longest grace and the longest wait for a slot.
	return max(max(visits, event.Hour)+r.Lateness, r.DedupHorizon) + 2*event.Minute
}

// Validate reports all rules that make no sense.
func (r Rules) Validate() error {
	r = r.WithDefaults()
	var bad []string
	if r.Grace < 0 || r.Grace > event.Minute {
		bad = append(bad, fmt.Sprintf("grace %d ms is not within 0 and 1 min", r.Grace))
	}
	if r.Lateness < r.Grace {
		bad = append(bad, fmt.Sprintf("lateness %d ms is below the grace of %d ms", r.Lateness, r.Grace))
	}
	if r.Lateness > maxLateness {
		bad = append(bad, fmt.Sprintf("lateness %d ms is more than 30 days", r.Lateness))
	}
	if err := r.Visits().Validate(); err != nil {
		bad = append(bad, err.Error())
	}
	if err := r.IDs().Validate(); err != nil {
		bad = append(bad, err.Error())
	}
	if r.SilentAfter < event.Second {
		bad = append(bad, fmt.Sprintf("silent-after %d ms is below the second between ticks", r.SilentAfter))
	}
	if r.FiredBytes < 0 {
		bad = append(bad, fmt.Sprintf("the %d bytes of names that a record fires are negative", r.FiredBytes))
	}
	if r.Values < 0 {
		bad = append(bad, fmt.Sprintf("%d values of a family are negative", r.Values))
	}
	if len(bad) > 0 {
		return fmt.Errorf("rules: %s", strings.Join(bad, "; "))
	}
	return nil
}
