package parquet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	pq "github.com/parquet-go/parquet-go"
	"github.com/valyala/fastjson"

	"millrace/engine/event"
)

// ErrCorrupt is wrapped by the error for an object that is not, or no longer, what the archiver wrote.
var ErrCorrupt = errors.New("the object is corrupt")

// stored is a row as it was read.
type stored struct {
	event.Event
	offset int64
	index  int32
}

// object is an open file of the lake, in memory.
type object struct {
	file    *pq.File
	segment segment
	columns map[string]int
}

// protect calls f and turns a panic into an error: the seal finds damage, but a file that somebody has sealed
// anew can still make parquet-go panic, and a bad file must not end the process. This is the only place that
// may recover.
func protect(name string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
		if err != nil {
			err = fmt.Errorf("object %q: %w: %w; restore it from a copy, or move it out of the archive: replays then count without its events",
				name, ErrCorrupt, err)
		}
	}()
	return f()
}

// The columns that are read back, and their physical types. hostname and path follow from url.
var (
	stringColumns = []string{"id", "site", "name", "visitor", "visitor_prev", "url", "referrer", "ua", "language",
		"screen", "country", "region", "city", "props", "revenue_currency", "client", "bot", "source_topic"}
	int64Columns = []string{"ts", "received", "revenue_amount", "source_offset"}
	int32Columns = []string{"source_index", "source_partition"}
)

// The columns that files of earlier builds lack: all their rows have the zero value.
var laterBoolColumns = []string{"non_interactive"}

// mostRows is more than any file of ours has.
const mostRows = 64 << 20

func openObject(body []byte) (*object, error) {
	if err := checkSeal(body); err != nil {
		return nil, err
	}
	f, err := pq.OpenFile(bytes.NewReader(body), int64(len(body)), pq.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	if f.NumRows() < 0 || f.NumRows() > mostRows {
		return nil, fmt.Errorf("it claims to have %d rows", f.NumRows())
	}
	var rows int64
	for _, rg := range f.RowGroups() {
		if rg.NumRows() < 0 {
			return nil, fmt.Errorf("a row group claims to have %d rows", rg.NumRows())
		}
		rows += rg.NumRows()
	}
	if rows != f.NumRows() {
		return nil, fmt.Errorf("%d rows in its groups, %d in all", rows, f.NumRows())
	}
	o := &object{file: f, columns: map[string]int{}}
	meta, ok := f.Lookup(segmentKey)
	if !ok {
		return nil, fmt.Errorf("no %s in its metadata", segmentKey)
	}
	if err := json.Unmarshal([]byte(meta), &o.segment); err != nil {
		return nil, fmt.Errorf("%s in its metadata: %w", segmentKey, err)
	}
	return o, errors.Join(
		o.need(stringColumns, pq.ByteArray),
		o.need(int64Columns, pq.Int64),
		o.need(int32Columns, pq.Int32),
		o.need(slices.DeleteFunc(slices.Clone(laterBoolColumns), o.lacks), pq.Boolean))
}

func (o *object) lacks(column string) bool {
	_, ok := o.file.Schema().Lookup(column)
	return !ok
}

// need finds columns and makes sure of their types, on which reading relies.
func (o *object) need(names []string, kind pq.Kind) error {
	for _, name := range names {
		leaf, ok := o.file.Schema().Lookup(name)
		if !ok {
			return fmt.Errorf("no column %q", name)
		}
		if got := leaf.Node.Type().Kind(); got != kind || leaf.MaxRepetitionLevel != 0 || leaf.MaxDefinitionLevel > 1 {
			return fmt.Errorf("column %q has the type %s, want %s", name, got, kind)
		}
		o.columns[name] = leaf.ColumnIndex
	}
	return nil
}

// rows returns the rows of a site, or all if site is "", in the order of the file. Their strings share memory
// with each other; their Props may be shared between rows.
func (o *object) rows(site string) ([]stored, error) {
	var all []stored
	props := map[string][]event.Prop{}
	for _, rg := range o.file.RowGroups() {
		lo, n, err := o.siteRange(rg, site)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			continue
		}
		rows := make([]stored, n)
		if err := o.fill(rg, lo, rows, props); err != nil {
			return nil, err
		}
		if site != "" { // the range is wider than the site only in a file that is not sorted
			rows = slices.DeleteFunc(rows, func(r stored) bool { return r.Site != site })
		}
		if all == nil {
			all = rows
		} else {
			all = append(all, rows...)
		}
	}
	return all, nil
}

// siteRange returns where the rows of a site are in a row group: they are in one piece, because files are
// sorted by site. The column's dictionary answers whether there are any, which is why the files have no bloom
// filter for it.
func (o *object) siteRange(rg pq.RowGroup, site string) (lo, n int64, err error) {
	if site == "" {
		return 0, rg.NumRows(), nil
	}
	lo, hi := int64(-1), int64(0)
	err = readStrings(o.chunk(rg, "site"), 0, rg.NumRows(), func(i int, s string) {
		if s == site {
			if lo < 0 {
				lo = int64(i)
			}
			hi = int64(i) + 1
		}
	})
	if err != nil || lo < 0 {
		return 0, 0, err
	}
	return lo, hi - lo, nil
}

func (o *object) chunk(rg pq.RowGroup, column string) pq.ColumnChunk {
	return rg.ColumnChunks()[o.columns[column]]
}

// fill reads len(rows) rows of a row group from row lo on, column by column.
func (o *object) fill(rg pq.RowGroup, lo int64, rows []stored, props map[string][]event.Prop) error {
	var errs []error
	str := func(column string, set func(r *stored, s string)) {
		errs = append(errs, readStrings(o.chunk(rg, column), lo, int64(len(rows)), func(i int, s string) { set(&rows[i], s) }))
	}
	num := func(column string, set func(r *stored, n int64)) {
		errs = append(errs, readInts(o.chunk(rg, column), lo, int64(len(rows)), func(i int, n int64) { set(&rows[i], n) }))
	}
	str("id", func(r *stored, s string) { r.ID = s })
	str("site", func(r *stored, s string) { r.Site = s })
	str("name", func(r *stored, s string) { r.Name = s })
	num("ts", func(r *stored, n int64) { r.Time = event.Time(n) })
	num("received", func(r *stored, n int64) { r.Received = event.Time(n) })
	visitor := func(s string) event.Visitor {
		v, err := event.ParseVisitor(s)
		if err != nil {
			errs = append(errs, err)
		}
		return v
	}
	str("visitor", func(r *stored, s string) { r.Visitor = visitor(s) })
	str("visitor_prev", func(r *stored, s string) { r.VisitorPrev = visitor(s) })
	str("url", func(r *stored, s string) { r.URL = s })
	str("referrer", func(r *stored, s string) { r.Referrer = s })
	str("ua", func(r *stored, s string) { r.UA = s })
	str("language", func(r *stored, s string) { r.Language = s })
	str("screen", func(r *stored, s string) { r.Screen = s })
	str("country", func(r *stored, s string) { r.Country = s })
	str("region", func(r *stored, s string) { r.Region = s })
	str("city", func(r *stored, s string) { r.City = s })
	str("props", func(r *stored, s string) {
		known, ok := props[s]
		if !ok {
			var err error
			if known, err = parseProps(s); err != nil {
				errs = append(errs, err)
			}
			props[s] = known
		}
		r.Props = known
	})
	num("revenue_amount", func(r *stored, n int64) { r.Amount = event.Money(n) })
	str("revenue_currency", func(r *stored, s string) { r.Currency = s })
	if _, ok := o.columns["non_interactive"]; ok {
		errs = append(errs, readBools(o.chunk(rg, "non_interactive"), lo, int64(len(rows)), func(i int) { rows[i].NonInteractive = true }))
	}
	str("client", func(r *stored, s string) { r.Client = s })
	str("bot", func(r *stored, s string) { r.Bot = s })
	num("source_offset", func(r *stored, n int64) { r.offset = n })
	num("source_index", func(r *stored, n int64) { r.index = int32(n) })
	return errors.Join(errs...)
}

func parseProps(s string) ([]event.Prop, error) {
	v, err := fastjson.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("props: %w", err)
	}
	obj, err := v.Object()
	if err != nil {
		return nil, fmt.Errorf("props: %w", err)
	}
	var props []event.Prop
	obj.Visit(func(key []byte, v *fastjson.Value) {
		b, e := v.StringBytes()
		if e != nil {
			err = fmt.Errorf("props: %w", e)
		}
		props = append(props, event.Prop{Key: string(key), Value: string(b)})
	})
	return props, err
}

// readPages calls f with the pages that hold the rows [lo, lo+n) of a column, cut to them. A page is valid
// during the call. from is the page's first row, counted from lo.
func readPages(chunk pq.ColumnChunk, lo, n int64, f func(page pq.Page, from int) error) (err error) {
	pages := chunk.Pages()
	defer func() { err = errors.Join(err, pages.Close()) }()
	if lo > 0 {
		if err := pages.SeekToRow(lo); err != nil {
			return err
		}
	}
	for from := int64(0); from < n; {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("column %d ends after %d of %d rows", chunk.Column(), from, n)
		}
		if err != nil {
			return err
		}
		part := page
		if page.NumRows() > n-from {
			part = page.Slice(0, n-from)
		}
		rows := part.NumRows()
		if rows == 0 {
			err = fmt.Errorf("column %d has an empty page", chunk.Column())
		} else {
			err = f(part, int(from))
		}
		pq.Release(page)
		if err != nil {
			return err
		}
		from += rows
	}
	return nil
}

// present calls f for each row of a page that has a value: with the row and the value's place in the page's
// data.
func present(page pq.Page, from int, values int, f func(row, value int)) error {
	levels := page.DefinitionLevels()
	if len(levels) == 0 { // a required column
		if int64(values) < page.NumRows() {
			return fmt.Errorf("a page of %d rows has %d values", page.NumRows(), values)
		}
		for i := range int(page.NumRows()) {
			f(from+i, i)
		}
		return nil
	}
	value := 0
	for i, level := range levels {
		if level == 0 {
			continue
		}
		if value >= values {
			return fmt.Errorf("a page has only %d values", values)
		}
		f(from+i, value)
		value++
	}
	return nil
}

// readStrings calls set for each row with a value. Strings of a dictionary are copied once, those of a plain
// page in one piece.
func readStrings(chunk pq.ColumnChunk, lo, n int64, set func(i int, s string)) error {
	var table []string // of the chunk's dictionary
	return readPages(chunk, lo, n, func(page pq.Page, from int) error {
		data := page.Data()
		if dict := page.Dictionary(); dict != nil {
			if table == nil {
				table = copyDictionary(dict)
			}
			ids := data.Int32()
			return present(page, from, len(ids), func(i, v int) { set(i, table[ids[v]]) })
		}
		values, offsets := data.ByteArray()
		text := string(values)
		return present(page, from, len(offsets)-1, func(i, v int) { set(i, text[offsets[v]:offsets[v+1]]) })
	})
}

func copyDictionary(dict pq.Dictionary) []string {
	var all strings.Builder
	all.Grow(int(dict.Size()))
	ends := make([]int, dict.Len())
	for i := range ends {
		all.Write(dict.Index(int32(i)).ByteArray())
		ends[i] = all.Len()
	}
	text, table, start := all.String(), make([]string, len(ends)), 0
	for i, end := range ends {
		table[i], start = text[start:end], end
	}
	return table
}

// readInts is readStrings for columns of INT32 and INT64.
func readInts(chunk pq.ColumnChunk, lo, n int64, set func(i int, n int64)) error {
	return readPages(chunk, lo, n, func(page pq.Page, from int) error {
		data := page.Data()
		if dict := page.Dictionary(); dict != nil {
			ids := data.Int32()
			if dict.Type().Kind() == pq.Int32 {
				return present(page, from, len(ids), func(i, v int) { set(i, int64(dict.Index(ids[v]).Int32())) })
			}
			return present(page, from, len(ids), func(i, v int) { set(i, dict.Index(ids[v]).Int64()) })
		}
		if page.Type().Kind() == pq.Int32 {
			ints := data.Int32()
			return present(page, from, len(ints), func(i, v int) { set(i, int64(ints[v])) })
		}
		ints := data.Int64()
		return present(page, from, len(ints), func(i, v int) { set(i, ints[v]) })
	})
}

// readBools calls set for each row that is true. It reads by values and not by the page's bits, which begin anywhere
// within a byte when a page was cut.
func readBools(chunk pq.ColumnChunk, lo, n int64, set func(i int)) error {
	values := make([]pq.Value, batchRows)
	return readPages(chunk, lo, n, func(page pq.Page, from int) error {
		reader := page.Values()
		for done := 0; done < int(page.NumRows()); {
			got, err := reader.ReadValues(values)
			for i, v := range values[:got] {
				if !v.IsNull() && v.Boolean() {
					set(from + done + i)
				}
			}
			done += got
			switch {
			case done > int(page.NumRows()):
				return fmt.Errorf("a page of %d rows has more values", page.NumRows())
			case err != nil && !errors.Is(err, io.EOF):
				return err
			case got == 0:
				return fmt.Errorf("a page of %d rows has %d values", page.NumRows(), done)
			}
		}
		return nil
	})
}
