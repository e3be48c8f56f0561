package colfile

import (
	"bytes"
	"fmt"
	"sync"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// Kind is what a column holds.
type Kind uint8

const (
	Text Kind = iota
	Int64
	Int32
	Bool
)

var kinds = map[format.Type]Kind{format.ByteArray: Text, format.Int64: Int64, format.Int32: Int32, format.Boolean: Bool}

// Column is a column of a schema.
type Column struct {
	Name     string
	Kind     Kind
	Optional bool
	// Plain text has no dictionary: its values are all different.
	Plain bool
	// Delta columns are packed by the differences of their values.
	Delta bool
	// Unsigned numbers have no statistics.
	Unsigned bool
}

// Schema is the columns of a file.
type Schema struct {
	Columns  []Column
	elements []format.SchemaElement
}

// Index returns the place of a column, -1 if there is none of the name.
func (s *Schema) Index(name string) int {
	for i := range s.Columns {
		if s.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// NewSchema returns the schema that a struct with parquet tags describes.
func NewSchema(row any) (*Schema, error) {
	schema := pq.SchemaOf(row)
	// The library does not give the elements out; a file has them.
	var out bytes.Buffer
	if err := pq.NewGenericWriter[any](&out, schema).Close(); err != nil {
		return nil, fmt.Errorf("schema of %T: %w", row, err)
	}
	f, err := pq.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		return nil, fmt.Errorf("schema of %T: %w", row, err)
	}
	s := &Schema{elements: f.Metadata().Schema}
	for _, e := range s.elements[1:] {
		leaf, ok := schema.Lookup(e.Name)
		kind, known := kinds[e.Type.V]
		if !ok || !known || !e.Type.Valid || e.RepetitionType.V == format.Repeated {
			return nil, fmt.Errorf("schema of %T: column %q: want text, a number or a bool", row, e.Name)
		}
		c := Column{Name: e.Name, Kind: kind, Optional: leaf.Node.Optional()}
		if enc := leaf.Node.Encoding(); enc != nil {
			c.Delta = enc.Encoding() == format.DeltaBinaryPacked
			c.Plain = kind == Text && enc.Encoding() == format.Plain
		}
		if t, ok := e.LogicalType.Value.(*format.IntType); ok {
			c.Unsigned = !t.IsSigned
		}
		if c.Delta && c.Optional {
			return nil, fmt.Errorf("schema of %T: column %q: a delta column can't be optional", row, e.Name)
		}
		s.Columns = append(s.Columns, c)
	}
	return s, nil
}

// Lazy returns a function that makes the schema of row when it is called first. REQUIRES: NewSchema takes row; a test of the caller
// holds that.
func Lazy(row any) func() *Schema {
	return sync.OnceValue(func() *Schema {
		s, err := NewSchema(row)
		if err != nil {
			panic("BUG: " + err.Error())
		}
		return s
	})
}

// Vector is what a column holds in a row group, or in a part of one.
type Vector struct {
	// Codes has, of Text, the place in Dict of each row's value, or -1 where there is none.
	Codes []int32
	Dict  []string
	// Ints has each row's value of other kinds, 1 of a Bool that is true, and 0 where there is none.
	Ints []int64
	// Null says of numbers that are optional in which rows there is none.
	Null []bool
}

// reset empties v, and keeps its memory. Dict is let go: it may be in use.
func (v *Vector) reset() { v.Codes, v.Dict, v.Ints, v.Null = v.Codes[:0], nil, v.Ints[:0], v.Null[:0] }

// check returns an error unless v has rows values for the column.
func (v *Vector) check(c *Column, rows int) error {
	got := len(v.Ints)
	if c.Kind == Text {
		got = len(v.Codes)
	}
	if got != rows || c.Kind != Text && c.Optional && len(v.Null) != rows {
		return fmt.Errorf("column %q: %d values (%d with nulls) in %d rows", c.Name, got, len(v.Null), rows)
	}
	return nil
}
