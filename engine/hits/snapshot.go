package hits

import (
	"context"

	"millrace/engine/event"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// Snapshot is what an archive of hits held at one time, for readers by column. It is the seam between an archive and what
// answers queries, which know nothing of one another. Any number of goroutines may read one at once.
type Snapshot interface {
	// Extent returns up to where the archive reaches.
	Extent() Extent
	// Rows returns about how many hits there are of a selection, and in how many files, by what the archive knows of its files: no row
	// is read. Of more than so many files no row is counted.
	Rows(ctx context.Context, sel *Selection, most int) (n int64, files int, err error)
	// Hits calls fn for blocks of rows that hold, among others, all hits of the selection. Several calls may run at once, of
	// different workers; those of one worker follow one another, and a block is valid during the call. An error of fn ends
	// the scan and is returned so that errors.Is finds it.
	Hits(ctx context.Context, sel *Selection, fn func(worker int, b Block) error) error
	// Visits does so for the visits that began within the selection's time, each once: as they ended, and as the folds of
	// their hits where they have not.
	Visits(ctx context.Context, sel *Selection, fn func(worker int, b VisitBlock) error) error
}

// Extent is up to where an archive reaches.
type Extent struct {
	// Partitions is the number of partitions of the log that the archive has hits of. What else there is comes of imported files.
	Partitions int
	// Watermark is the least of theirs: the hits of what was on time before are there.
	Watermark event.Time
	// Began is the time from which on hits are whole: 0 if the archive has had them from the beginning.
	Began event.Time
	// First and Last bound the times of all hits, both included; Last is before First if there are none.
	First, Last event.Time
	// Imported: the archive has imported files of which there are no hits.
	Imported bool
}

// Selection is what is read of a Snapshot: the hits of a site with a time in [From, To), or its visits with a beginning in it.
type Selection struct {
	Site     string
	From, To event.Time
	// Workers is how many calls may run at once, at least 1. They are numbered from 0.
	Workers int
}

// Text is a column of texts: row i has Values[Codes[i]]. No two Values are the same, and there may be some that no row has.
type Text struct {
	Values []string
	Codes  []uint32
}

// Columns are the dimensions of the rows of a block.
type Columns interface {
	// Len returns the number of rows.
	Len() int
	// Partition returns the partition of all rows, -1 of imported events: visits have names within one.
	Partition() int32
	// Text returns a dimension, "" where a row has none. Of a visit Page is none.
	Text(d window.Dim) (*Text, error)
}

// Block is a run of hits of the selected site, by column. A column is read when it is asked for the first time. Lists have an
// entry for each row; a list of bits has bit i%64 of entry i/64 for row i, and no bits behind the last row.
type Block interface {
	Columns
	// Inside reports that all rows are in the selection's time. If not, some may be and some not.
	Inside() bool
	Times() ([]event.Time, error)
	// Visitors are 0 where nobody knows who it was.
	Visitors() ([]event.Visitor, error)
	// Visits are those that the hits are of by all joins of the snapshot, 0 where there is none.
	Visits() ([]visit.ID, error)
	// Of returns the bits of the rows of a class.
	Of(c Class) ([]uint64, error)
	Pageviews() ([]uint64, error)
	// Revenue returns the amounts, 0 where there is none, and the bits of the rows that have one.
	Revenue() (amounts []event.Money, paid []uint64, err error)
	// Props are custom properties, as JSON objects of texts; "" where there are none.
	Props() (*Text, error)
	// Engaged and Scrolls are of pings, 0 and no percentage where they are not known.
	Engaged() ([]event.Time, error)
	Scrolls() ([]event.Percent, error)
}

// VisitBlock is a run of visits of the selected site, by column.
type VisitBlock interface {
	Columns
	// Selected returns the bits of the rows that are visits of the selection: others are to be passed over.
	Selected() ([]uint64, error)
	IDs() ([]visit.ID, error)
	Begins() ([]event.Time, error)
	// Seconds are visit.Visit.Seconds, Views the numbers of pageviews.
	Seconds() ([]int64, error)
	Views() ([]int64, error)
	// Bounces returns the bits of the visits that bounced.
	Bounces() ([]uint64, error)
}
