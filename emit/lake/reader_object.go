package lake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	pq "github.com/parquet-go/parquet-go"
	"github.com/valyala/fastjson"

	"millrace/emit/lake/seal"
	"millrace/engine/event"
	"millrace/engine/wire"
)

// ErrCorrupt is wrapped by the error for an object that is not, or no longer, what the archiver
// wrote.
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
	erased  []place // of rows that were here
	hidden  erased  // whose rows are not given, though they may be here
}

// numRows returns how many rows the object has, and has had.
func (o *object) numRows() int64 { return o.file.NumRows() + int64(len(o.erased)) }

// protect guards f, which reads an object of that name. Its errors wrap ErrCorrupt and name what an
// operator can do.
func protect(name string, f func() error) error {
	err := seal.Guard(f)
	if errors.Is(err, wire.ErrNewer) {
		return fmt.Errorf("object %q: %w", name, err)
	}
	if err != nil {
		return fmt.Errorf("object %q: %w: %w; restore it from a copy, or move it out of the archive: replays with --incomplete then count without its events",
			name, ErrCorrupt, err)
	}
	return nil
}

// The columns that are read back, and their physical types. hostname and path follow from url.
var (
	stringColumns = []string{"id", "site", "name", "visitor", "visitor_prev", "url", "referrer", "ua", "language",
		"screen", "country", "region", "city", "props", "revenue_currency", "client", "bot", "source_topic"}
	int64Columns = []string{"ts", "received", "revenue_amount", "source_offset"}
	int32Columns = []string{"source_index", "source_partition"}
)

// The columns that files of earlier builds lack: all their rows have the zero value.
var (
	laterBoolColumns  = []string{"non_interactive", "ping", "hash_route"}
	laterInt64Columns = []string{"engaged_ms"}
	laterInt32Columns = []string{"scroll_depth"}
)

// objectFormat is the newest format of files that is read here. One gets another number when rows
// would be read wrongly without what is new; a column that older builds may pass over needs none.
const objectFormat = 1

// mostRows is more than any file of ours has.
const mostRows = 64 << 20

func openObject(body []byte) (*object, error) {
	if err := seal.Check(body); err != nil {
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
	if o.segment.Format > objectFormat {
		return nil, wire.Newer(o.segment.Format, 1, objectFormat)
	}
	if text, ok := f.Lookup(erasedKey); ok {
		if o.erased, err = decodePlaces(text); err != nil {
			return nil, err
		}
	}
	return o, errors.Join(
		o.need(stringColumns, pq.ByteArray),
		o.need(int64Columns, pq.Int64),
		o.need(int32Columns, pq.Int32),
		o.need(o.present(laterBoolColumns), pq.Boolean),
		o.need(o.present(laterInt64Columns), pq.Int64),
		o.need(o.present(laterInt32Columns), pq.Int32))
}

// present returns those of some columns that the file has.
func (o *object) present(columns []string) []string {
	return slices.DeleteFunc(slices.Clone(columns), o.lacks)
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

// rows returns the rows of a site, or all if site is "", in the order of the file. Their strings
// share memory with each other; their Props may be shared between rows.
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
		if len(o.hidden) > 0 {
			rows = slices.DeleteFunc(rows, func(r stored) bool { return o.hidden.row(r.Site, r.Visitor, r.Received) })
			for i := range rows {
				if r := &rows[i]; o.hidden.row(r.Site, r.VisitorPrev, r.Received) {
					r.VisitorPrev = 0
				}
			}
		}
		if all == nil {
			all = rows
		} else {
			all = append(all, rows...)
		}
	}
	return all, nil
}

// siteRange returns where the rows of a site are in a row group: they are in one piece, because
// files are sorted by site. The column's dictionary answers whether there are any, which is why the
// files have no bloom filter for it.
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
	errs = append(errs, o.fillLater(rg, lo, rows))
	str("client", func(r *stored, s string) { r.Client = s })
	str("bot", func(r *stored, s string) { r.Bot = s })
	num("source_offset", func(r *stored, n int64) { r.offset = n })
	num("source_index", func(r *stored, n int64) { r.index = int32(n) })
	return errors.Join(errs...)
}

// fillLater is fill for the columns that a file may lack.
func (o *object) fillLater(rg pq.RowGroup, lo int64, rows []stored) error {
	var errs []error
	flag := func(column string, set func(r *stored)) {
		if _, ok := o.columns[column]; ok {
			errs = append(errs, readBools(o.chunk(rg, column), lo, int64(len(rows)), func(i int) { set(&rows[i]) }))
		}
	}
	num := func(column string, set func(r *stored, n int64)) {
		if _, ok := o.columns[column]; ok {
			errs = append(errs, readInts(o.chunk(rg, column), lo, int64(len(rows)), func(i int, n int64) { set(&rows[i], n) }))
		}
	}
	flag("non_interactive", func(r *stored) { r.NonInteractive = true })
	flag("ping", func(r *stored) { r.Ping = true })
	num("engaged_ms", func(r *stored, n int64) { r.Engaged = event.Time(n) })
	num("scroll_depth", func(r *stored, n int64) { r.Scroll = event.PercentOf(n) })
	flag("hash_route", func(r *stored) { r.HashRoute = true })
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
