package hitfile

import (
	"bytes"
	"fmt"
	"unsafe"

	pq "github.com/parquet-go/parquet-go"

	"millrace/engine/hits"
)

// batchRows is how many values are handed to a column writer at a time.
const batchRows = 1024

// column is how a column gets its values from a buffer of rows of one kind.
type column[B, R any] struct {
	name string
	// value returns the value of a row; null stands for none in the optional columns.
	value func(b B, r *R) pq.Value
}

// columns are all columns of the schema.
var columns = allColumns()

type hitColumn = column[*Buffer, packed]

func allColumns() []hitColumn {
	list := []hitColumn{
		text("site", strSite), text("name", strName), text("page", strPage), text("hostname", strHostname), text("entry_page", strEntryPage),
		text("reason", strReason), text("revenue_currency", strCurrency), text("source_topic", strTopic),
		{"visitor", func(_ *Buffer, r *packed) pq.Value { return optional(r.visitor != 0, pq.Int64Value(int64(r.visitor))) }},
		{"visit", func(_ *Buffer, r *packed) pq.Value { return optional(r.visit != 0, pq.Int64Value(int64(r.visit))) }},
		{"ts", func(_ *Buffer, r *packed) pq.Value { return pq.Int64Value(int64(r.time)) }},
		{"class", func(_ *Buffer, r *packed) pq.Value { return textValue(r.class.String()) }},
		{"counted", func(_ *Buffer, r *packed) pq.Value {
			return optional(r.class == hits.Dropped, pq.Int64Value(int64(r.counted)))
		}},
		{"pageview", func(_ *Buffer, r *packed) pq.Value { return pq.BooleanValue(r.pageview) }},
		{"non_interactive", func(_ *Buffer, r *packed) pq.Value { return pq.BooleanValue(r.nonInteractive) }},
		{"revenue_amount", func(_ *Buffer, r *packed) pq.Value { return optional(r.paid, pq.Int64Value(int64(r.revenue))) }},
		{"props", func(b *Buffer, r *packed) pq.Value {
			return optional(r.str[strProps] != 0, textValue(b.table[r.str[strProps]]))
		}},
		{"engaged_ms", func(_ *Buffer, r *packed) pq.Value { return optional(r.engaged != 0, pq.Int64Value(int64(r.engaged))) }},
		{"scroll_depth", func(_ *Buffer, r *packed) pq.Value {
			n, ok := r.scroll.Value()
			return optional(ok, pq.Int32Value(int32(n)))
		}},
		{"source_partition", func(_ *Buffer, r *packed) pq.Value { return pq.Int32Value(r.partition) }},
		{"source_offset", func(_ *Buffer, r *packed) pq.Value { return pq.Int64Value(r.offset) }},
		{"source_index", func(_ *Buffer, r *packed) pq.Value { return pq.Int32Value(r.index) }},
	}
	for i, d := range originDims {
		list = append(list, hitColumn{d.String(), func(b *Buffer, r *packed) pq.Value { return textValue(b.table[b.origins[r.origin][i]]) }})
	}
	return list
}

func text(name string, str int) hitColumn {
	return hitColumn{name, func(b *Buffer, r *packed) pq.Value { return textValue(b.table[r.str[str]]) }}
}

// textValue does not copy: the column writer does.
func textValue(s string) pq.Value {
	return pq.ByteArrayValue(unsafe.Slice(unsafe.StringData(s), len(s)))
}

func optional(has bool, v pq.Value) pq.Value {
	if !has {
		return pq.NullValue()
	}
	return v
}

// Encode appends a file of all hits to out. It is a pure function of them: their order does not matter.
//
// It is written column by column and not by rows of Go structs, which parquet-go v0.32.0 gets wrong with certain patterns of
// nulls (see emit/lake).
func (b *Buffer) Encode(out *bytes.Buffer) error {
	b.sort()
	if err := writeFile(out, schema(), "hits.v1", columns, b, b.rows, b.groupRows); err != nil {
		return fmt.Errorf("encode %d hits: %w", len(b.rows), err)
	}
	return nil
}

// writeFile appends a file of rows in their order, which is that of site, visitor and time.
func writeFile[B, R any](out *bytes.Buffer, schema *pq.Schema, format string, columns []column[B, R], b B, rows []R, groupRows int) error {
	w := pq.NewGenericWriter[any](out,
		schema,
		pq.Compression(&pq.Zstd),
		pq.CreatedBy("millrace", "1", format), // the library's own default holds its version as the build knows it
		pq.DictionaryMaxBytes(dictionaryBytes),
		// Behind the site rows are in order of visitors as unsigned numbers, which no column says: Delta's tables have none of those.
		pq.SortingWriterConfig(pq.SortingColumns(pq.Ascending("site"))),
	)
	for len(rows) > 0 {
		n := min(groupRows, len(rows))
		if err := writeGroup(w, columns, b, rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return w.Close()
}

func writeGroup[B, R any](w *pq.GenericWriter[any], columns []column[B, R], b B, rows []R) error {
	writers := w.ColumnWriters()
	values := make([]pq.Value, 0, min(batchRows, len(rows)))
	for _, c := range columns {
		leaf, _ := w.Schema().Lookup(c.name)
		for rest := rows; len(rest) > 0; {
			n := min(batchRows, len(rest))
			values = values[:0]
			for i := range rest[:n] {
				v := c.value(b, &rest[i])
				level := leaf.MaxDefinitionLevel
				if v.IsNull() {
					level = 0
				}
				values = append(values, v.Level(0, level, leaf.ColumnIndex))
			}
			if _, err := writers[leaf.ColumnIndex].WriteRowValues(values); err != nil {
				return err
			}
			rest = rest[n:]
		}
	}
	return w.Flush()
}
