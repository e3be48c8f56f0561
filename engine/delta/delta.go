package delta

import (
	"encoding/binary"
	"errors"
	"fmt"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/engine/wire"
)

// None is the Prev of the first delta of a partition.
const None = -1

// Delta is what one record does. Out of Decode, its slices and strings are views into the input.
type Delta struct {
	// Partition is that of the log and of the changelog.
	Partition int32
	// Offset is that of the record in the log; Prev that of the record before it, or None.
	Offset, Prev int64
	// Watermark is the partition's after the record.
	Watermark event.Time
	// Meta is the core's own state after the record, whole. It replaces the one before.
	Meta []byte
	// Adds are chunks to append to windows, in order of Kind, Start and Site.
	Adds []Add
	// Visits is what the record did to the live visits, in the encoding of package visit.
	Visits []byte
	// Seen holds the ids of the record's events, in the encoding of package dedup.
	Seen []byte
	// SeenFrom says that the ids of records before this offset have left the horizon; 0 for no change.
	SeenFrom int64
	// Fired lists the windows that this record fired, in order of Kind, Start and Site (rule J11).
	Fired []Fired
	// Progress is the watermark this record announces, 0 for none.
	Progress event.Time
	// Horizon says that windows of minutes that start before it are needed no more, 0 for no change; VisitHorizon
	// says it of windows of visits.
	Horizon, VisitHorizon event.Time
}

// Add is a chunk for one window, of Kind Minute or Visits.
type Add struct {
	Kind  window.Kind
	Site  string
	Start event.Time
	Chunk []byte
}

// Fired names a window that fired.
type Fired struct {
	Kind  window.Kind
	Site  string
	Start event.Time
	Final bool
}

const version = 4

// ErrDelta is wrapped by every error of Decode.
var ErrDelta = errors.New("malformed delta")

// Append appends the encoding: the version byte, then the fields in order; integers as varints, strings and
// bytes with their length in front.
func (d *Delta) Append(b []byte) []byte {
	b = append(b, version)
	b = binary.AppendUvarint(b, uint64(d.Partition))
	b = binary.AppendUvarint(b, uint64(d.Offset))
	b = binary.AppendUvarint(b, uint64(d.Prev+1))
	b = binary.AppendVarint(b, int64(d.Watermark))
	b = appendString(b, d.Meta)
	b = binary.AppendUvarint(b, uint64(len(d.Adds)))
	for i := range d.Adds {
		a := &d.Adds[i]
		b = append(b, byte(a.Kind))
		b = appendString(b, a.Site)
		b = binary.AppendVarint(b, int64(a.Start))
		b = appendString(b, a.Chunk)
	}
	b = appendString(b, d.Visits)
	b = appendString(b, d.Seen)
	b = binary.AppendUvarint(b, uint64(d.SeenFrom))
	b = AppendFired(b, d.Fired)
	b = binary.AppendVarint(b, int64(d.Progress))
	b = binary.AppendVarint(b, int64(d.Horizon))
	return binary.AppendVarint(b, int64(d.VisitHorizon))
}

// AppendFired appends a list of fired windows.
func AppendFired(b []byte, list []Fired) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for i := range list {
		f := &list[i]
		b = append(b, byte(f.Kind))
		b = appendString(b, f.Site)
		b = binary.AppendVarint(b, int64(f.Start))
		final := byte(0)
		if f.Final {
			final = 1
		}
		b = append(b, final)
	}
	return b
}

func appendString[T ~string | ~[]byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// Head is the part of a delta that the rules of the journal are about.
type Head struct {
	Partition    int32
	Offset, Prev int64
	Watermark    event.Time
}

// Head returns the head of d.
func (d *Delta) Head() Head { return Head{d.Partition, d.Offset, d.Prev, d.Watermark} }

// DecodeHead reads the head only.
func DecodeHead(b []byte) (Head, error) {
	r := newReader(b)
	h := r.head()
	return h, r.Err
}

// Decode reads a delta into d, reusing its slices.
func (d *Delta) Decode(b []byte) error {
	r := newReader(b)
	h := r.head()
	d.Partition, d.Offset, d.Prev = h.Partition, h.Offset, h.Prev
	d.Watermark = h.Watermark
	d.Meta = r.Bytes()
	d.Adds = d.Adds[:0]
	for n := r.Count(1); n > 0 && r.Err == nil; n-- {
		d.Adds = append(d.Adds, Add{Kind: r.kind(), Site: r.Text(), Start: event.Time(r.Varint()), Chunk: r.Bytes()})
	}
	d.Visits, d.Seen = r.Bytes(), r.Bytes()
	d.SeenFrom = int64(r.Uvarint())
	d.Fired = r.fired(d.Fired[:0])
	d.Progress = event.Time(r.Varint())
	d.Horizon = event.Time(r.Varint())
	d.VisitHorizon = event.Time(r.Varint())
	if r.Err == nil && len(r.B) > 0 {
		r.Fail("bytes left over")
	}
	return r.Err
}

// DecodeFired reads a list of fired windows and returns what follows it.
func DecodeFired(b []byte) (list []Fired, rest []byte, err error) {
	r := newReader(b)
	list = r.fired(nil)
	return list, r.B, r.Err
}

// reader reads the fields of a delta.
type reader struct{ wire.Reader }

func newReader(b []byte) reader { return reader{wire.Reader{B: b, Of: ErrDelta}} }

func (r *reader) head() (h Head) {
	switch {
	case len(r.B) > 0 && r.B[0] > version:
		r.Err = fmt.Errorf("%w: %w", ErrDelta, wire.Newer(int(r.B[0]), version, version))
		r.B = nil
		return h
	case len(r.B) == 0 || r.B[0] != version:
		r.Fail("unknown version")
		return h
	}
	r.B = r.B[1:]
	h.Partition = int32(r.Uvarint())
	h.Offset = int64(r.Uvarint())
	h.Prev = int64(r.Uvarint()) - 1
	h.Watermark = event.Time(r.Varint())
	if r.Err == nil && (h.Offset < 0 || h.Prev >= h.Offset || h.Prev < None) {
		r.Fail("bad offsets")
	}
	return h
}

func (r *reader) fired(list []Fired) []Fired {
	for n := r.Count(1); n > 0 && r.Err == nil; n-- {
		f := Fired{Kind: r.kind(), Site: r.Text(), Start: event.Time(r.Varint())}
		switch {
		case len(r.B) == 0 || r.B[0] > 1:
			r.Fail("bad fired window")
		default:
			f.Final, r.B = r.B[0] == 1, r.B[1:]
			list = append(list, f)
		}
	}
	return list
}

func (r *reader) kind() window.Kind {
	if len(r.B) == 0 || window.Kind(r.B[0]) >= window.NumKinds {
		r.Fail("unknown kind of window")
		return 0
	}
	k := window.Kind(r.B[0])
	r.B = r.B[1:]
	return k
}
