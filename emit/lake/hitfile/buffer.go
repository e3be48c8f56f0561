package hitfile

import (
	"bytes"

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
	strTopic
	strProps
	strClass
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
	texts
	rows    []packed
	dims    [window.NumDims]string
	class   [hits.NumClasses]uint32 // indexes of their names
	last    [strCount]uint32        // the strings of the hit before
	encoder rowEncoder[packed]

	groupRows int // rows of a row group; RowGroupRows, but for tests
}

// NewBuffer returns an empty buffer.
func NewBuffer() *Buffer {
	b := &Buffer{texts: newTexts(), groupRows: RowGroupRows, encoder: newEncoder(hitLayout)}
	b.Reset()
	return b
}

// Reset forgets all hits, and keeps the memory of what does not hold strings.
func (b *Buffer) Reset() {
	b.texts.reset()
	b.rows = b.rows[:0]
	clear(b.last[:])
	for c := range b.class {
		b.class[c] = b.intern(hits.Class(c).String())
	}
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
	origin := h.Row.Origin
	if origin == nil {
		b.scratch = window.AppendOrigin(b.scratch[:0], &h.Row.Dims)
		origin = b.scratch
	}
	r.origin = b.internOrigin(origin, &b.dims)
	for i, s := range [...]string{
		strSite: h.Site, strName: h.Row.Dims[window.Name], strPage: h.Row.Dims[window.Page], strHostname: h.Row.Dims[window.Hostname],
		strEntryPage: h.Row.Dims[window.EntryPage], strReason: h.Row.Dims[window.Reason], strCurrency: h.Currency, strTopic: h.Topic,
	} {
		r.str[i] = b.again(s, b.last[i])
	}
	r.str[strClass] = b.class[h.Class]
	b.last = r.str
	if len(h.Row.Props) > 0 {
		b.scratch = event.AppendProps(b.scratch[:0], h.Row.Props)
		r.str[strProps] = b.intern(view(b.scratch))
	}
	b.rows = append(b.rows, r)
}

// Encode appends a file of all hits to out, sealed. It is a pure function of them: their order does not matter.
func (b *Buffer) Encode(out *bytes.Buffer) error {
	return b.encoder.encode(out, &b.texts, b.rows, b.groupRows)
}

// Bounds are what lies in the rows of a file.
type Bounds struct {
	// MinTime and MaxTime are the first and the last time: of hits their event time, of visits their beginning. Joins have none.
	MinTime, MaxTime event.Time
	// MinSite and MaxSite are the first and the last site.
	MinSite, MaxSite string
}

func (b *Bounds) add(at event.Time, first bool) {
	if first || at < b.MinTime {
		b.MinTime = at
	}
	if first || at > b.MaxTime {
		b.MaxTime = at
	}
}

// Bounds returns those of the hits. REQUIRES: there are hits, and Encode was called after the last. The strings are copies.
func (b *Buffer) Bounds() (is Bounds) {
	for i := range b.rows {
		is.add(b.rows[i].time, i == 0)
	}
	first, last := b.encoder.ends()
	is.MinSite, is.MaxSite = b.clone(b.rows[first].str[strSite]), b.clone(b.rows[last].str[strSite])
	return is
}
