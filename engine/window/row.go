package window

import "millrace/engine/event"

// Flags of a row.
type Flags uint8

const (
	// PageviewRow: the event is a view of a page.
	PageviewRow Flags = 1 << iota
	// BotRow: the sender is taken for a bot; only the family Bots counts it.
	BotRow
	// DroppedRow: the event came after its window had closed; only Dropped counts it.
	DroppedRow
	// UncountedRow: no family counts it, and no window takes it.
	UncountedRow

	// allFlags are those of rows that windows take.
	allFlags = PageviewRow | BotRow | DroppedRow
)

func (f Flags) class() class {
	switch {
	case f&DroppedRow != 0:
		return dropped
	case f&BotRow != 0:
		return bot
	}
	return human
}

// Row is what is counted of one event. Its values are clean (Clean), or "" where the event does not
// count in the dimension.
type Row struct {
	Flags   Flags
	Visitor event.Visitor
	// Revenue is the event's amount. Paid is set if the event has one, which may be 0; any other
	// amount sets it by itself.
	Revenue event.Money
	Paid    bool
	// Dims holds all dimensions of rowDims: not ExitPage, those of goals and properties, and what
	// is lacking.
	Dims [NumDims]string
	// Origin, if not nil, holds those of the dimensions that AppendOrigin encodes, in place of what
	// Dims has of them.
	Origin []byte
	// Goals are the names of the goals that the event reached, sorted, distinct.
	Goals []string
	// Props are the custom properties that are counted, sorted by key, keys distinct.
	Props []event.Prop
}

// paid reports whether the event has an amount.
func (r *Row) paid() bool { return r.Paid || r.Revenue != 0 }

// VisitRow is a change of the rollups of a window of visits: what to add to the values that a visit
// is counted under. A visit that changes its dimensions is taken out under the old ones and added
// under the new ones.
type VisitRow struct {
	Scope Scope
	// Dims holds the dimensions of the visit (Dim.OfVisit), its Hostname and its ExitPage; what
	// else stands there is not counted.
	Dims [NumDims]string
	// Origin is that of a Row.
	Origin []byte
	// Visits, Bounces, Seconds and Views (pageviews of visits) are what is added; they may be
	// negative.
	Visits, Bounces, Seconds, Views int64
}

// Scope is which families a VisitRow changes.
type Scope uint8

const (
	// AllFamilies changes all.
	AllFamilies Scope = iota
	// ExitPageOnly changes ExitPages only, so that a visit that moves on to another page costs no
	// more than that.
	ExitPageOnly
	// AllButExitPage changes all others.
	AllButExitPage

	numScopes
)
