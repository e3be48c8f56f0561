package hitfile

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"millrace/emit/lake/colfile"
)

// Table is one of the two kinds of files.
type Table struct {
	// Name is hits or visits.
	Name string
	// Schema returns the columns.
	Schema func() *colfile.Schema
	// Key are the columns that rows are sorted by, in that order, those without a value first. No two rows are the same in all.
	Key []string
	// Time is the column among them that says when.
	Time string
	// Visit are columns that hold names of visits which joins change in older rows: of hits.
	Visit string

	created string
}

var (
	// Hits are files of hits.
	Hits = &Table{
		Name: "hits", Schema: colfile.Lazy(row{}), Time: "ts", Visit: "visit", created: "hits.v1",
		Key: []string{"site", "visitor", "ts", "source_topic", "source_partition", "source_offset", "source_index"},
	}
	// Visits are files of visits and joins.
	Visits = &Table{
		Name: "visits", Schema: colfile.Lazy(visitRow{}), Time: "begin", created: "visits.v1",
		Key: []string{"site", "visitor", "begin", "source_topic", "source_partition", "visit"},
	}
)

const (
	// RowGroupRows bounds a row group: a reader holds a column of one at a time.
	RowGroupRows = 64 << 10
	// GroupTextBytes bounds the distinct texts of a row group, summed over its columns: a reader needs a dictionary whole before the first
	// code. Only sites with addresses or properties that are all different come near. A row that would bring more begins a row group.
	GroupTextBytes = 16 << 20
)

// Options are those of the table's files, at a level of zstd.
func (t *Table) Options(level zstd.EncoderLevel) colfile.Options {
	// Behind the site rows are in order of visitors as unsigned numbers, which no column says: Delta's tables have none of those.
	return colfile.Options{
		CreatedBy: "millrace version 1 (build " + t.created + ")", Level: level, Sorted: []string{"site"}, Index: []string{"site", t.Time},
	}
}

// Open opens a file of the table to be read: row group by row group, column by column or page by page. Errors name it by its key; what
// is read of it is what was written, whether all of it is read or a part.
func (t *Table) Open(key string, r io.ReaderAt, size int64) (*colfile.File, error) {
	f, err := colfile.Open(key, r, size, t.Schema())
	if err != nil {
		return nil, fmt.Errorf("open file of %s: %w", t.Name, err)
	}
	return f, nil
}

// OpenIndexed opens a file of the table of which ranges of rows are read.
func (t *Table) OpenIndexed(key string, r io.ReaderAt, size int64) (*colfile.Indexed, error) {
	f, err := colfile.OpenIndexed(key, r, size, t.Schema())
	if err != nil {
		return nil, fmt.Errorf("open file of %s: %w", t.Name, err)
	}
	return f, nil
}
