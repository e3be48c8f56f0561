package salt

import (
	"millrace/engine/event"
	"millrace/ingest/identity"
)

// The bounds of what is in use, in hours of UTC before and behind an instant.
const (
	// behind: the date ends 12 hours after UTC's where it ends last, is given along for an hour,
	// and lasts another one for clocks that differ.
	behind = 14 * event.Hour
	// ahead: the date begins 14 hours before UTC's where it begins first.
	ahead = 14 * event.Hour
	// early is how long before that it is made.
	early = 10 * event.Hour
)

// Dates are the dates from First to Last.
type Dates struct{ First, Last identity.Day }

// Has reports whether a date is one of them.
func (d Dates) Has(day identity.Day) bool { return d.First <= day && day <= d.Last }

// Window returns the dates that salts are kept of at an instant, two to four.
func Window(at event.Time) Dates { return Dates{dayOf(at - behind), dayOf(at + ahead + early)} }

// inUse returns the dates that it is somewhere in the world, those in the last hour included.
func inUse(at event.Time) Dates { return Dates{dayOf(at - behind + event.Hour), dayOf(at + ahead)} }

func dayOf(at event.Time) identity.Day {
	const day = 24 * event.Hour
	return identity.Day(at.Floor(day) / day)
}
