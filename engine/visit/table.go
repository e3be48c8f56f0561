package visit

import (
	"errors"

	"millrace/engine/event"
	"millrace/engine/window"
)

// ErrJournal is wrapped by every error of Apply.
var ErrJournal = errors.New("malformed visits journal")

// Table holds the live visits of a partition. It has no clock and does no I/O.
type Table struct{ rules Rules }

// NewTable returns an empty table. REQUIRES: r.Validate() is nil.
func NewTable(r Rules) *Table { return &Table{rules: r.withDefaults()} }

// Observe takes in the next event of the log: at is its time, prev its VisitorPrev. Bots, dropped events and duplicates are
// not to be given. It overwrites the visit dimensions of r (Dim.OfVisit) by those of the event's visit, as views
// that are valid until the next call of a method; the row of an event without a visit (Visitor 0, or past
// MaxPerSite) keeps its own.
func (t *Table) Observe(site string, r *window.Row, at event.Time, prev event.Visitor, nonInteractive bool) {}

// Flush ends a record. It calls add with the changes of the windows of visits, ordered by start and site, and returns the
// journal of what the record changed, nil if nothing did. Chunks and journal are valid until the next Flush.
func (t *Table) Flush(add func(site string, start event.Time, chunk []byte)) (journal []byte) {
	return nil
}

// Apply makes the changes that a journal or a checkpoint tells of. After an error the table is unusable.
func (t *Table) Apply(journal []byte) error { return nil }

// Expire forgets the visits that no event can touch any more. It looks at the minute of the watermark only, and does
// nothing if that has not moved on: call it after each record, and once after the last Apply.
func (t *Table) Expire(watermark event.Time) {}

// Checkpoint appends all visits that have changed since the last Checkpoint, self-contained, in a form that Apply
// reads. until is the watermark past which none of them is alive; the checkpoint may be thrown away when the watermark has
// passed it and a later checkpoint is stored.
func (t *Table) Checkpoint(dst []byte) (blob []byte, until event.Time) { return dst, 0 }

// Horizon returns the start of the oldest window of visits that events after the watermark may change.
func (t *Table) Horizon(watermark event.Time) event.Time { return 0 }

// Len returns the number of live visits.
func (t *Table) Len() int { return 0 }

// Bytes returns the memory of the table, by estimate.
func (t *Table) Bytes() int { return 0 }

// Untracked returns the number of events that found no visit because of MaxPerSite, since the log began.
func (t *Table) Untracked() int64 { return 0 }
