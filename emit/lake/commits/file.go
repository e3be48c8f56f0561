package commits

import (
	"errors"
	"fmt"
	"slices"

	"millrace/engine/event"
	"millrace/internal/blob"
)

// Table is one of the tables that a partition has.
type Table uint8

// The tables, in the order in which their logs are written.
const (
	Hits Table = iota
	Visits
	numTables
)

// Tables returns all tables.
func Tables() []Table { return []Table{Hits, Visits} }

func (t Table) String() string {
	switch t {
	case Hits:
		return "hits"
	case Visits:
		return "visits"
	}
	return fmt.Sprintf("table %d", uint8(t))
}

// Level is how much a file holds.
type Level uint8

// The levels.
const (
	Segment Level = iota // of one segment of the log
	Hourly               // merged from segments
	Daily                // merged from all that a day had
	numLevels
)

func (l Level) String() string {
	switch l {
	case Segment:
		return "segment"
	case Hourly:
		return "hour"
	case Daily:
		return "day"
	}
	return fmt.Sprintf("level %d", uint8(l))
}

// File is a file of a table. Key is made by FileName.
type File struct {
	Table Table  `json:"table"`
	Key   string `json:"key"`
	// Day is the start of the UTC day that the file lies under (dt).
	Day event.Time `json:"day"`
	// MinTime and MaxTime are the first and the last time of the rows: of hits their event time, of visits their Begin, of joins
	// none. A file of joins alone has both 0.
	MinTime event.Time `json:"minTime"`
	MaxTime event.Time `json:"maxTime"`
	// MinSite and MaxSite are the first and the last site in byte order.
	MinSite string `json:"minSite"`
	MaxSite string `json:"maxSite"`
	// Size is in bytes.
	Size int64 `json:"size"`
	Rows int64 `json:"rows"`
	// Level is how much was merged into it.
	Level Level `json:"level"`
	// The file is of the records of the log from offset First up to Next, which is not of it.
	First int64 `json:"first"`
	Next  int64 `json:"next"`
	// Clean is the version of the state whose erasures its rows have none of. Of a segment it is 0: its rows are written under all
	// erasures up to its own commit.
	Clean int64 `json:"clean,omitempty"`
	// Erased is how many rows of the files that it was made of were left out.
	Erased int64 `json:"erased,omitempty"`
	// Added is the wall-clock time of the commit that has added it: Apply sets it.
	Added event.Time `json:"added,omitempty"`
}

func (f *File) validate() error {
	switch {
	case f.Table >= numTables:
		return fmt.Errorf("file %q is of %v", f.Key, f.Table)
	case f.Level >= numLevels:
		return fmt.Errorf("file %q is of %v", f.Key, f.Level)
	case f.Size <= 0 || f.Rows <= 0:
		return fmt.Errorf("file %q has %d bytes and %d rows", f.Key, f.Size, f.Rows)
	case f.Clean < 0 || f.Erased < 0:
		return fmt.Errorf("file %q is clean of version %d, with %d rows erased", f.Key, f.Clean, f.Erased)
	case f.First < 0 || f.Next <= f.First:
		return fmt.Errorf("file %q has the offsets %d to %d", f.Key, f.First, f.Next)
	case f.Day.Floor(day) != f.Day:
		return fmt.Errorf("file %q is of %v, which is no day", f.Key, f.Day)
	case f.MaxTime < f.MinTime || f.MaxSite < f.MinSite:
		return fmt.Errorf("file %q ends before it begins", f.Key)
	}
	return blob.ValidKey(f.Key)
}

const day = 24 * event.Hour

// Checkpoint is an object that the reading of the log is gone on from: what has changed since the one before. The fields behind
// Size are those of engine.Head.
type Checkpoint struct {
	Key  string `json:"key"` // made by CheckpointName
	Size int64  `json:"size"`
	// Prev is the last record of the checkpoint before, Last that of this one.
	Prev int64 `json:"prev"`
	Last int64 `json:"last"`
	// IDs is the last record of which there are ids in it, -1 for none.
	IDs int64 `json:"ids"`
	// SeenFrom is the first record of which ids are remembered.
	SeenFrom int64 `json:"seenFrom"`
	// Until is the watermark from which on no visit in it is alive.
	Until event.Time `json:"until"`
	// Watermark is that after Last.
	Watermark event.Time `json:"watermark"`
}

func (c *Checkpoint) validate() error {
	if c.Last < c.Prev || c.SeenFrom < 0 || c.Size < 0 {
		return fmt.Errorf("checkpoint %q has bad offsets", c.Key)
	}
	return blob.ValidKey(c.Key)
}

// Change is what a commit does to a partition's tables. State.Change returns one that does nothing, which is what a caller
// begins with.
type Change struct {
	// Next is the first record of the log of which there are no hits yet. It never goes back, but with Anew.
	Next int64 `json:"next"`
	// Watermark is the partition's watermark at Next.
	Watermark event.Time `json:"watermark"`
	// Began is from where on hits are whole: all events of that time and later have one. 0: from the beginning.
	Began event.Time `json:"began,omitempty"`
	// Imports are the topics of imported files whose events have hits, sorted: of the chain of ImportsTopic.
	Imports []string `json:"imports,omitempty"`
	// Rules name what hits are made by, a hash of the rules and the deriver. Hits of other rules are another generation.
	Rules string `json:"rules,omitempty"`
	// Add are files that have been put, and Remove keys of files that are to be seen no more. Both take effect at once.
	Add    []File   `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
	// Checkpoint, if not nil, is one that has been put; its Last is before Next. Those that are not needed any more, by
	// engine.Needed, are dropped by themselves.
	Checkpoint *Checkpoint `json:"checkpoint,omitempty"`
	// Recount says that files are removed and added because they were counted again, by rules that may be others: rows are others.
	Recount bool `json:"recount,omitempty"`
	// Anew takes everything away that there was before: files, and checkpoints. Next may go back.
	Anew bool `json:"anew,omitempty"`
	// Deleted are keys that were removed or dropped before, and are not in the store any more: see Sweeper.
	Deleted []string `json:"deleted,omitempty"`
	// Erase are visitors that are erased from here on: with the commit, no reader shows them any more. The rows of Add have none of them:
	// see Erasure. Erased again, more is.
	Erase []Erasure `json:"erase,omitempty"`
	// Clean are keys of files that were looked through and have no row that the erasures of State version CleanOf take away. Of those that
	// are not there any more nothing happens.
	Clean   []string `json:"clean,omitempty"`
	CleanOf int64    `json:"cleanOf,omitempty"`
}

// Empty reports whether the change changes nothing of a state.
func (c *Change) Empty(s *State) bool {
	return c.Next == s.Next && c.Watermark == s.Watermark && c.Began == s.Began && c.Rules == s.Rules &&
		slices.Equal(c.Imports, s.Imports) &&
		len(c.Add) == 0 && len(c.Remove) == 0 && c.Checkpoint == nil && !c.Anew && len(c.Deleted) == 0 &&
		len(c.Erase) == 0 && len(c.Clean) == 0
}

var (
	// ErrRecord is wrapped by the error for a record of the topic that is no commit.
	ErrRecord = errors.New("malformed commit")
	// ErrChange is wrapped by the error for a change that does not fit the state that it is for.
	ErrChange = errors.New("the commit does not fit what it is based on")
)
