package hitfile

import (
	"bytes"

	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// The strings of a visit that are not of its origin.
const (
	visitSite = iota
	visitEntryPage
	visitExitPage
	visitHostname
	visitTopic
	visitStrings
)

// packedVisit is a row of a visit or a join as the buffer holds it.
type packedVisit struct {
	visitor             event.Visitor
	visit, into         visit.ID // into is 0 but of a join
	begin, end          event.Time
	events, views       uint32
	interactive, pinged bool
	bounce              bool
	seconds             int64
	str                 [visitStrings]uint32 // indexes of table
	origin              uint32               // index of origins
	partition           int32
}

// VisitBuffer holds visits that have ended, and joins, of one partition until they are written. It belongs to one goroutine, and
// implements what of hits.Sink is about visits.
type VisitBuffer struct {
	texts
	topic     string
	partition int32
	rows      []packedVisit
	dims      [window.NumDims]string
	encoder   rowEncoder[packedVisit]

	groupRows int // rows of a row group; RowGroupRows, but for tests
}

// NewVisitBuffer returns an empty buffer for visits of a partition of a topic.
func NewVisitBuffer(topic string, partition int32) *VisitBuffer {
	b := &VisitBuffer{topic: topic, partition: partition, groupRows: RowGroupRows, texts: newTexts(), encoder: newEncoder(visitLayout)}
	b.Reset()
	return b
}

// Reset forgets all visits, and keeps the memory of what does not hold strings.
func (b *VisitBuffer) Reset() {
	b.texts.reset()
	b.rows = b.rows[:0]
}

// Len returns the number of rows.
func (b *VisitBuffer) Len() int { return len(b.rows) }

// Visit adds a copy of a visit.
func (b *VisitBuffer) Visit(v *visit.Visit) {
	r := packedVisit{
		visitor: v.Visitor, visit: v.ID, begin: v.Begin, end: v.End, events: v.Events, views: v.Views, interactive: v.Interactive, pinged: v.Pinged,
		bounce: v.Bounced(), seconds: v.Seconds(), partition: b.partition,
	}
	for i, s := range [...]string{
		visitSite: v.Site, visitEntryPage: v.Dims[window.EntryPage], visitExitPage: v.Dims[window.ExitPage], visitHostname: v.Dims[window.Hostname],
		visitTopic: b.topic,
	} {
		r.str[i] = b.intern(s)
	}
	b.scratch = window.AppendOrigin(b.scratch[:0], &v.Dims)
	r.origin = b.internOrigin(b.scratch, &b.dims)
	b.rows = append(b.rows, r)
}

// Join adds a join.
func (b *VisitBuffer) Join(j hits.Join) {
	r := packedVisit{visitor: j.Visitor, visit: j.Visit, into: j.Into, begin: j.Begin, partition: b.partition}
	r.str[visitSite], r.str[visitTopic] = b.intern(j.Site), b.intern(b.topic)
	clear(b.dims[:])
	b.scratch = window.AppendOrigin(b.scratch[:0], &b.dims)
	r.origin = b.internOrigin(b.scratch, &b.dims)
	b.rows = append(b.rows, r)
}

// Encode appends a file of all visits and joins to out, sealed. It is a pure function of them: their order does not matter.
func (b *VisitBuffer) Encode(out *bytes.Buffer) error {
	return b.encoder.encode(out, &b.texts, b.rows, b.groupRows)
}

// Bounds returns those of the visits and joins. REQUIRES: there are rows, and Encode was called after the last. The strings are
// copies.
func (b *VisitBuffer) Bounds() (is Bounds) {
	first := true
	for i := range b.rows {
		if b.rows[i].into == 0 {
			is.add(b.rows[i].begin, first)
			first = false
		}
	}
	lo, hi := b.encoder.ends()
	is.MinSite, is.MaxSite = b.clone(b.rows[lo].str[visitSite]), b.clone(b.rows[hi].str[visitSite])
	return is
}
