package hitfile

import (
	"cmp"
	"slices"
	"strings"
	"unsafe"

	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// The strings of a hit that it does not have from its visit.
const (
	strSite = iota
	strName
	strPage
	strHostname
	strEntryPage
	strReason
	strCurrency
	strProps
	strTopic
	strCount
)

// originDims are the dimensions of an origin.
var originDims = func() (list []window.Dim) {
	for d := range window.NumDims {
		if d.OfVisit() && d != window.EntryPage {
			list = append(list, d)
		}
	}
	return list
}()

// packed is a hit as the buffer holds it: without a pointer, so that there is nothing for the garbage collector to follow.
type packed struct {
	visitor        event.Visitor
	visit          visit.ID
	time, counted  event.Time // counted is 0 but of a dropped hit
	revenue        event.Money
	engaged        event.Time
	offset         int64
	index          int32
	partition      int32
	origin         uint32 // index of Buffer.origins
	class          hits.Class
	scroll         event.Percent
	pageview       bool
	nonInteractive bool
	paid           bool
	str            [strCount]uint32 // indexes of Buffer.table
}

// Buffer holds hits until they are written. It belongs to one goroutine. It implements what of hits.Sink is about hits.
//
// The dimensions of an origin, eighteen of a hit's two dozen, are looked up together, by the bytes that package visit keeps of them:
// most hits have the origin of one before.
type Buffer struct {
	rows    []packed
	table   []string          // table[0] is ""
	ids     map[string]uint32 // index in table
	origins [][]uint32        // values of originDims, as indexes of table
	origin  map[string]uint32 // index in origins, by the encoded origin
	chunk   []byte            // where strings are being copied to
	scratch []byte
	dims    [window.NumDims]string

	groupRows int // rows of a row group; rowGroupRows, but for tests
}

// chunkBytes is the size of the pieces that strings are copied into.
const chunkBytes = 64 << 10

// NewBuffer returns an empty buffer.
func NewBuffer() *Buffer {
	b := &Buffer{ids: map[string]uint32{}, origin: map[string]uint32{}, groupRows: rowGroupRows}
	b.Reset()
	return b
}

// Reset forgets all hits, and keeps the memory of what does not hold strings.
func (b *Buffer) Reset() {
	clear(b.ids)
	clear(b.origin)
	clear(b.table)
	clear(b.origins)
	b.rows, b.table, b.origins, b.chunk = b.rows[:0], append(b.table[:0], ""), b.origins[:0], nil
}

// Len returns the number of hits.
func (b *Buffer) Len() int { return len(b.rows) }

// Hit adds a copy of a hit.
func (b *Buffer) Hit(h *hits.Hit) {
	r := packed{
		visitor: h.Row.Visitor, visit: h.Visit, time: h.Time, revenue: h.Row.Revenue, engaged: h.Engaged, offset: h.Offset, index: h.Index,
		partition: h.Partition, class: h.Class, scroll: h.Scroll, pageview: h.Pageview(), nonInteractive: h.NonInteractive, paid: h.Row.Paid,
	}
	if h.Class == hits.Dropped {
		r.counted = h.Minute
	}
	r.origin = b.internOrigin(h.Row)
	for i, s := range [...]string{
		strSite: h.Site, strName: h.Row.Dims[window.Name], strPage: h.Row.Dims[window.Page], strHostname: h.Row.Dims[window.Hostname],
		strEntryPage: h.Row.Dims[window.EntryPage], strReason: h.Row.Dims[window.Reason], strCurrency: h.Currency, strTopic: h.Topic,
	} {
		r.str[i] = b.intern(s)
	}
	if len(h.Row.Props) > 0 {
		b.scratch = event.AppendProps(b.scratch[:0], h.Row.Props)
		r.str[strProps] = b.intern(view(b.scratch))
	}
	b.rows = append(b.rows, r)
}

// internOrigin returns the index of the origin of a row.
func (b *Buffer) internOrigin(r *window.Row) uint32 {
	origin := r.Origin
	if origin == nil {
		b.scratch = window.AppendOrigin(b.scratch[:0], &r.Dims)
		origin = b.scratch
	}
	if i, ok := b.origin[string(origin)]; ok {
		return i
	}
	window.ReadOrigin(origin, &b.dims)
	values := make([]uint32, len(originDims))
	for i, d := range originDims {
		values[i] = b.intern(b.dims[d])
	}
	i := uint32(len(b.origins))
	b.origins = append(b.origins, values)
	b.origin[b.copy(view(origin))] = i
	return i
}

func (b *Buffer) intern(s string) uint32 {
	if s == "" {
		return 0
	}
	if id, ok := b.ids[s]; ok {
		return id
	}
	s = b.copy(s)
	id := uint32(len(b.table))
	b.table = append(b.table, s)
	b.ids[s] = id
	return id
}

// copy returns a copy of s that lives as long as the buffer is not reset.
func (b *Buffer) copy(s string) string {
	if len(s) > cap(b.chunk)-len(b.chunk) {
		b.chunk = make([]byte, 0, max(chunkBytes, len(s)))
	}
	start := len(b.chunk)
	b.chunk = append(b.chunk, s...)
	// The view stays valid: a chunk's bytes are written once and a full chunk is left, not moved.
	return view(b.chunk[start:])
}

// view returns b as a string without a copy.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// sort puts the hits in the order of a file: by site, visitor and time, and then as they stand in the log.
func (b *Buffer) sort() {
	rank := b.siteRanks()
	slices.SortFunc(b.rows, func(x, y packed) int {
		return cmp.Or(cmp.Compare(rank[x.str[strSite]], rank[y.str[strSite]]), cmp.Compare(x.visitor, y.visitor), cmp.Compare(x.time, y.time),
			cmp.Compare(b.table[x.str[strTopic]], b.table[y.str[strTopic]]), cmp.Compare(x.partition, y.partition),
			cmp.Compare(x.offset, y.offset), cmp.Compare(x.index, y.index))
	})
}

// siteRanks returns, by a site's index in the table, its place among the sites.
func (b *Buffer) siteRanks() []uint32 {
	rank := make([]uint32, len(b.table))
	var sites []uint32
	for i := range b.rows {
		if s := b.rows[i].str[strSite]; rank[s] == 0 {
			rank[s] = 1
			sites = append(sites, s)
		}
	}
	slices.SortFunc(sites, func(x, y uint32) int { return strings.Compare(b.table[x], b.table[y]) })
	for i, s := range sites {
		rank[s] = uint32(i)
	}
	return rank
}
