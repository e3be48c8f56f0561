package dedup

import (
	"errors"

	"millrace/engine/event"
)

// ErrJournal is wrapped by every error of Apply.
var ErrJournal = errors.New("malformed journal of ids")

// Options of a Set. The zero value of a field is its default.
type Options struct {
	// Horizon is how long an id is known, in log time; whole minutes. Default 10 min.
	Horizon event.Time
	// MaxIDs is the most ids remembered; past it the oldest minute is forgotten early. Default 4,194,304: some 100 MB.
	MaxIDs int
}

// Set is the ids seen in the horizon.
type Set struct{}

// NewSet returns an empty set.
func NewSet(o Options) *Set { return &Set{} }

// Add takes in the next event of the log and reports whether its id is new. REQUIRES: called for each event, because
// each may move the clock. An empty id is always new.
func (s *Set) Add(site, id string, received event.Time) (isNew bool) { return true }

// Flush ends the record at an offset. It returns the journal of what changed, nil if nothing did, valid until the next
// Flush; and, if the record made ids of earlier records leave the horizon, the offset before which journals are needed no
// more, else 0.
func (s *Set) Flush(offset int64) (journal []byte, seenFrom int64) { return nil, 0 }

// Apply makes the changes that the journal of the record at an offset tells of. Journals come in order, the first one
// being that at the last seenFrom or any before. After an error the set is unusable.
func (s *Set) Apply(offset int64, journal []byte) error { return nil }

// Len returns the number of ids remembered.
func (s *Set) Len() int { return 0 }

// Bytes returns the memory of the set, by estimate.
func (s *Set) Bytes() int { return 0 }

// Forgotten returns the number of ids forgotten early because of MaxIDs, since the set was made.
func (s *Set) Forgotten() int64 { return 0 }
