package lake

import (
	"bytes"
	"maps"
	"slices"

	"millrace/emit/lake/commits"
	"millrace/emit/lake/hitfile"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
)

const day = 24 * event.Hour

// table is a buffer of package hitfile.
type table interface {
	Len() int
	Encode(*bytes.Buffer) error
	Bounds() hitfile.Bounds
	Reset()
}

// hitRows are the hits, visits and joins of a segment, by the days that their files lie under. They are a hits.Sink.
//
// A hit lies in the UTC day in which its visit began, as far as that is known when it is made, and without a visit in its own; a
// visit in that of its beginning, and a join in that of the visit that is no more.
type hitRows struct {
	topic     string
	partition int32
	hits      map[event.Time]*hitfile.Buffer
	visits    map[event.Time]*hitfile.VisitBuffer
	spare     []*hitfile.Buffer
	spareV    []*hitfile.VisitBuffer
	rows      int // of hits
}

// mostSpare is how many buffers are kept for their memory: a segment is of one day or two.
const mostSpare = 2

func newHitRows(topic string, partition int32) *hitRows {
	return &hitRows{topic: topic, partition: partition, hits: map[event.Time]*hitfile.Buffer{}, visits: map[event.Time]*hitfile.VisitBuffer{}}
}

// Hit implements hits.Sink.
func (r *hitRows) Hit(h *hits.Hit) {
	at := h.Time
	if h.Visit != 0 {
		at = h.VisitBegan
	}
	of := at.Floor(day)
	b := r.hits[of]
	if b == nil {
		if n := len(r.spare); n > 0 {
			b, r.spare = r.spare[n-1], r.spare[:n-1]
		} else {
			b = hitfile.NewBuffer()
		}
		r.hits[of] = b
	}
	b.Hit(h)
	r.rows++
}

// Join implements hits.Sink.
func (r *hitRows) Join(j hits.Join) { r.visitsOf(j.Begin).Join(j) }

// Visit implements hits.Sink.
func (r *hitRows) Visit(v *visit.Visit) { r.visitsOf(v.Begin).Visit(v) }

func (r *hitRows) visitsOf(begin event.Time) *hitfile.VisitBuffer {
	of := begin.Floor(day)
	b := r.visits[of]
	if b == nil {
		if n := len(r.spareV); n > 0 {
			b, r.spareV = r.spareV[n-1], r.spareV[:n-1]
		} else {
			b = hitfile.NewVisitBuffer(r.topic, r.partition)
		}
		r.visits[of] = b
	}
	return b
}

// reset forgets all rows.
func (r *hitRows) reset() {
	for of, b := range r.hits {
		if delete(r.hits, of); len(r.spare) < mostSpare {
			b.Reset()
			r.spare = append(r.spare, b)
		}
	}
	for of, b := range r.visits {
		if delete(r.visits, of); len(r.spareV) < mostSpare {
			b.Reset()
			r.spareV = append(r.spareV, b)
		}
	}
	r.rows = 0
}

// files encodes the rows, a file for each table and day, in their order. The body is valid until put returns. File has all but
// Key, Level and offsets.
func (r *hitRows) files(put func(f commits.File, body []byte) error) error {
	var out bytes.Buffer
	one := func(t commits.Table, of event.Time, b table) error {
		out.Reset()
		if err := b.Encode(&out); err != nil {
			return err
		}
		body := out.Bytes()
		is := b.Bounds()
		return put(commits.File{
			Table: t, Day: of, MinTime: is.MinTime, MaxTime: is.MaxTime, MinSite: is.MinSite, MaxSite: is.MaxSite,
			Size: int64(len(body)), Rows: int64(b.Len()),
		}, body)
	}
	for _, of := range slices.Sorted(maps.Keys(r.hits)) {
		if err := one(commits.Hits, of, r.hits[of]); err != nil {
			return err
		}
	}
	for _, of := range slices.Sorted(maps.Keys(r.visits)) {
		if err := one(commits.Visits, of, r.visits[of]); err != nil {
			return err
		}
	}
	return nil
}
