package local

import (
	"encoding/binary"
	"fmt"
	"slices"

	"millrace/engine/event"
	"millrace/engine/sketch"
	"millrace/engine/window"
	"millrace/engine/wire"
)

// Sums of whole days. What the windows of hours, or of visits, of a day (of UTC) hold of a family is
// kept once more as one point a value, so that a month is thirty of them and not seven hundred. It
// is derived from those windows, made in the background once a query has asked for it, and taken
// away in the batch that writes one of the windows.
//
// The points of a day lie in chunks, each under the values of its last point, so that seeking a
// value finds the chunk that has it if there is one. The key of a day's last chunk sorts behind any
// values: so it is found whatever value is sought, and tells that the day has its sums.

const day = 24 * event.Hour

// chunkBytes is from what size on a chunk is full.
const chunkBytes = 16 << 10

// What follows the day in the key of a chunk.
const (
	chunkMore = 0 // the values of its last point; others follow
	chunkLast = 1 // the end of the key
)

// chunkFormat is the first byte of a chunk.
const chunkFormat = 1

// wholeDays returns the days that lie in [from, to) as [first, last); none if first >= last.
func wholeDays(from, to event.Time) (first, last event.Time) {
	return (from + day - 1).Floor(day), to.Floor(day)
}

// summedDay is the windows of a kind and a day of a site. Several families of them may have sums.
type summedDay struct {
	site  string
	kind  window.Kind
	start event.Time
}

// familyDay is what is made at once.
type familyDay struct {
	summedDay
	family window.Family
}

func appendSummedKey(dst []byte, d *summedDay) []byte {
	return appendTime(append(appendSite(append(dst, tableSummed), d.site), byte(d.kind)), d.start)
}

// decodeSummed reads which families of a day have sums, or need none.
func decodeSummed(b []byte) (families, error) {
	r := wire.Reader{B: b, Of: errValue}
	set := r.Uvarint()
	if r.Err != nil || len(r.B) > 0 {
		return 0, errValue
	}
	return families(set), nil
}

// appendDay appends what the keys of a day's chunks begin with.
func appendDay(dst []byte, d *familyDay) []byte {
	return appendTime(appendFamilyOf(dst, tableDay, d.site, d.kind, d.family), d.start)
}

// sum is a point of a day in the making.
type sum struct {
	dims   [2]string
	final  bool
	rollup window.Rollup // without Sketch and Visitors
	sketch sketch.Sketch
}

// add adds what a window holds, as package query adds it.
func (s *sum) add(final bool, r *window.Rollup) error {
	s.final = s.final && final
	t := &s.rollup
	t.Events += r.Events
	t.Pageviews += r.Pageviews
	t.Revenue += r.Revenue
	t.Visits += r.Visits
	t.Bounces += r.Bounces
	t.Seconds += r.Seconds
	t.Views += r.Views
	t.Paid += r.PaidEvents()
	return s.sketch.MergeBinary(r.Sketch)
}

// sums are the points of a day in the making.
type sums struct {
	family window.Family
	of     map[[2]string]*sum
	points int // of windows
}

func (s *sums) add(_ event.Time, final bool, p *window.Point) error {
	s.points++
	t := s.of[p.Dims]
	if t == nil {
		t = &sum{dims: p.Dims, final: true}
		for i := range t.dims {
			t.dims[i] = string([]byte(t.dims[i])) // the scan's until the call ends
		}
		s.of[t.dims] = t
	}
	if err := t.add(final, &p.Rollup); err != nil {
		return fmt.Errorf("sketch of %s %q: %w", p.Family, p.Dims, err)
	}
	return nil
}

// worth reports whether sums are enough fewer than the points they are of.
func (s *sums) worth() bool { return 2*len(s.of) <= s.points }

// chunks calls fn for each chunk of the day, with what of its key follows the day.
func (s *sums) chunks(k window.Kind, fn func(key, value []byte) error) error {
	list := make([]*sum, 0, len(s.of))
	for _, t := range s.of {
		list = append(list, t)
	}
	slices.SortFunc(list, func(x, y *sum) int { return slices.Compare(x.dims[:], y.dims[:]) })
	chunk := []byte{chunkFormat}
	var key, rollup []byte
	for i, t := range list {
		for d := range s.family.Dims() {
			chunk = append(binary.AppendUvarint(chunk, uint64(len(t.dims[d]))), t.dims[d]...)
		}
		t.rollup.Visitors = t.sketch.Estimate()
		t.rollup.Sketch = t.sketch.AppendBinary(t.rollup.Sketch[:0])
		rollup = appendRollup(rollup[:0], k, t.final, &t.rollup)
		chunk = append(binary.AppendUvarint(chunk, uint64(len(rollup))), rollup...)
		switch {
		case i == len(list)-1:
			key = append(key[:0], chunkLast)
		case len(chunk) >= chunkBytes:
			key = appendDims(append(key[:0], chunkMore), s.family, &t.dims)
		default:
			continue
		}
		if err := fn(key, chunk); err != nil {
			return err
		}
		chunk = append(chunk[:0], chunkFormat)
	}
	return nil
}

// eachOf calls fn for the points of a chunk. Strings and sketches are views of it.
func eachOf(chunk []byte, k window.Kind, p *window.Point, fn func(final bool) error) error {
	if len(chunk) == 0 || chunk[0] != chunkFormat {
		return errValue
	}
	chunk = chunk[1:]
	cut := func() []byte {
		n, l := binary.Uvarint(chunk)
		if l <= 0 || n > uint64(len(chunk)-l) {
			return nil
		}
		piece := chunk[l : l+int(n) : l+int(n)]
		chunk = chunk[l+int(n):]
		return piece
	}
	dims := len(p.Family.Dims())
	for len(chunk) > 0 {
		for i := range dims {
			v := cut()
			if v == nil {
				return errValue
			}
			p.Dims[i] = view(v)
		}
		final, err := decodeRollup(cut(), k, &p.Rollup)
		if err != nil {
			return err
		}
		if err := fn(final); err != nil {
			return err
		}
	}
	return nil
}
