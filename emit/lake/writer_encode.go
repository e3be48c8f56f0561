package lake

import (
	"bytes"
	"encoding/json"
	"unsafe"

	pq "github.com/parquet-go/parquet-go"

	"millrace/engine/event"
)

// batchRows is how many values are handed to a column writer at a time.
const batchRows = 1024

// column is how a column gets its values from the buffer.
type column struct {
	name string
	// value returns the value of a row; a null stands for none in the optional columns.
	value func(e *encoder, r *packed) pq.Value
}

// columns returns all columns of the schema.
func columns() []column {
	return []column{
		text("id", strID), text("site", strSite), text("name", strName),
		{"ts", func(_ *encoder, r *packed) pq.Value { return pq.Int64Value(int64(r.time)) }},
		{"received", func(_ *encoder, r *packed) pq.Value { return pq.Int64Value(int64(r.received)) }},
		{"visitor", func(e *encoder, r *packed) pq.Value { return e.visitor(r.visitor) }},
		{"visitor_prev", func(e *encoder, r *packed) pq.Value { return e.visitor(r.previous) }},
		text("url", strURL),
		{"hostname", func(e *encoder, r *packed) pq.Value {
			host, _ := splitURL(e.buf.table[r.str[strURL]])
			return stringValue(host)
		}},
		{"path", func(e *encoder, r *packed) pq.Value {
			_, path := splitURL(e.buf.table[r.str[strURL]])
			return stringValue(path)
		}},
		text("referrer", strReferrer), text("ua", strUA), text("language", strLanguage), text("screen", strScreen),
		text("country", strCountry), text("region", strRegion), text("city", strCity),
		{"props", func(e *encoder, r *packed) pq.Value {
			if r.str[strProps] == 0 {
				return pq.NullValue()
			}
			return stringValue(e.buf.table[r.str[strProps]])
		}},
		{"revenue_amount", func(_ *encoder, r *packed) pq.Value {
			if r.str[strCurrency] == 0 {
				return pq.NullValue()
			}
			return pq.Int64Value(int64(r.amount))
		}},
		text("revenue_currency", strCurrency),
		{"non_interactive", func(_ *encoder, r *packed) pq.Value { return pq.BooleanValue(r.nonInteractive) }},
		{"ping", func(_ *encoder, r *packed) pq.Value { return pq.BooleanValue(r.ping) }},
		{"engaged_ms", func(_ *encoder, r *packed) pq.Value {
			if r.engaged == 0 {
				return pq.NullValue()
			}
			return pq.Int64Value(int64(r.engaged))
		}},
		{"scroll_depth", func(_ *encoder, r *packed) pq.Value {
			n, ok := r.scroll.Value()
			if !ok {
				return pq.NullValue()
			}
			return pq.Int32Value(int32(n))
		}},
		{"hash_route", func(_ *encoder, r *packed) pq.Value { return pq.BooleanValue(r.hashRoute) }},
		text("client", strClient), text("bot", strBot),
		{"source_topic", func(e *encoder, _ *packed) pq.Value { return stringValue(e.key.Topic) }},
		{"source_partition", func(e *encoder, _ *packed) pq.Value { return pq.Int32Value(e.key.Partition) }},
		{"source_offset", func(_ *encoder, r *packed) pq.Value { return pq.Int64Value(r.offset) }},
		{"source_index", func(_ *encoder, r *packed) pq.Value { return pq.Int32Value(r.index) }},
	}
}

func text(name string, str int) column {
	return column{name, func(e *encoder, r *packed) pq.Value { return stringValue(e.buf.table[r.str[str]]) }}
}

// stringValue does not copy: the column writer does.
func stringValue(s string) pq.Value {
	return pq.ByteArrayValue(unsafe.Slice(unsafe.StringData(s), len(s)))
}

// encoder writes one object.
//
// It writes column by column and not rows of Go structs, which parquet-go v0.32.0 gets wrong: with
// certain patterns of nulls (writeRowsFuncOfOptional compares a shifted word of the bitmap with the
// wrong mask) it writes zero values in their place. It is also faster.
type encoder struct {
	buf *buffer
	key Key
	hex []byte // digits of the visitors of a batch
}

// encode writes the rows that keys name, in their order.
func (b *buffer) encode(out *bytes.Buffer, keys []sortKey, key Key, seg segment) error {
	meta, err := json.Marshal(seg)
	if err != nil {
		return err
	}
	w := pq.NewGenericWriter[any](out,
		schema(),
		pq.Compression(&pq.Zstd),
		// The library's own default holds its version as the build knows it, which would make files
		// differ between a test and a release.
		pq.CreatedBy("millrace", "1", "lake.v1"),
		pq.KeyValueMetadata(segmentKey, string(meta)),
		pq.DictionaryMaxBytes(dictionaryBytes),
		pq.SortingWriterConfig(pq.SortingColumns(pq.Ascending("site"), pq.Ascending("ts"))),
	)
	e := &encoder{buf: b, key: key, hex: make([]byte, 0, 16*batchRows)}
	for len(keys) > 0 {
		n := min(b.groupRows, len(keys))
		if err := e.rowGroup(w, keys[:n]); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return w.Close()
}

func (e *encoder) rowGroup(w *pq.GenericWriter[any], keys []sortKey) error {
	writers := w.ColumnWriters()
	values := make([]pq.Value, 0, min(batchRows, len(keys)))
	for _, c := range columns() {
		leaf, _ := w.Schema().Lookup(c.name)
		for rest := keys; len(rest) > 0; {
			n := min(batchRows, len(rest))
			values, e.hex = values[:0], e.hex[:0]
			for _, k := range rest[:n] {
				v := c.value(e, &e.buf.rows[k.row])
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

// visitor returns the 16 digits of v, valid until the next batch, or null for none.
func (e *encoder) visitor(v event.Visitor) pq.Value {
	if v == 0 {
		return pq.NullValue()
	}
	const digits = "0123456789abcdef"
	start := len(e.hex)
	for shift := 60; shift >= 0; shift -= 4 {
		e.hex = append(e.hex, digits[v>>shift&15]) // never grows: earlier values stay valid
	}
	return pq.ByteArrayValue(e.hex[start:len(e.hex):len(e.hex)])
}
