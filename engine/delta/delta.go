package delta

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"millrace/engine/event"
	"millrace/engine/window"
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
	r := reader{b: b}
	h := r.head()
	return h, r.err
}

// Decode reads a delta into d, reusing its slices.
func (d *Delta) Decode(b []byte) error {
	r := reader{b: b}
	h := r.head()
	d.Partition, d.Offset, d.Prev = h.Partition, h.Offset, h.Prev
	d.Watermark = h.Watermark
	d.Meta = r.bytes()
	d.Adds = d.Adds[:0]
	for n := r.count(); n > 0 && r.err == nil; n-- {
		d.Adds = append(d.Adds, Add{Kind: r.kind(), Site: r.string(), Start: event.Time(r.varint()), Chunk: r.bytes()})
	}
	d.Visits, d.Seen = r.bytes(), r.bytes()
	d.SeenFrom = int64(r.uvarint())
	d.Fired = r.fired(d.Fired[:0])
	d.Progress = event.Time(r.varint())
	d.Horizon = event.Time(r.varint())
	d.VisitHorizon = event.Time(r.varint())
	if r.err == nil && len(r.b) > 0 {
		r.fail("bytes left over")
	}
	return r.err
}

// DecodeFired reads a list of fired windows and returns what follows it.
func DecodeFired(b []byte) (list []Fired, rest []byte, err error) {
	r := reader{b: b}
	list = r.fired(nil)
	return list, r.b, r.err
}

// reader reads fields until one is malformed; from then on it returns zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrDelta, what)
	}
	r.b = nil
}

func (r *reader) head() (h Head) {
	if len(r.b) == 0 || r.b[0] != version {
		r.fail("unknown version")
		return h
	}
	r.b = r.b[1:]
	h.Partition = int32(r.uvarint())
	h.Offset = int64(r.uvarint())
	h.Prev = int64(r.uvarint()) - 1
	h.Watermark = event.Time(r.varint())
	if r.err == nil && (h.Offset < 0 || h.Prev >= h.Offset || h.Prev < None) {
		r.fail("bad offsets")
	}
	return h
}

func (r *reader) fired(list []Fired) []Fired {
	for n := r.count(); n > 0 && r.err == nil; n-- {
		f := Fired{Kind: r.kind(), Site: r.string(), Start: event.Time(r.varint())}
		switch {
		case len(r.b) == 0 || r.b[0] > 1:
			r.fail("bad fired window")
		default:
			f.Final, r.b = r.b[0] == 1, r.b[1:]
			list = append(list, f)
		}
	}
	return list
}

func (r *reader) kind() window.Kind {
	if len(r.b) == 0 || window.Kind(r.b[0]) >= window.NumKinds {
		r.fail("unknown kind of window")
		return 0
	}
	k := window.Kind(r.b[0])
	r.b = r.b[1:]
	return k
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("number cut short")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("number cut short")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads the length of a list; each element takes three bytes at least.
func (r *reader) count() uint64 {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail("list cut short")
		return 0
	}
	return n
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail("string cut short")
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) string() string {
	v := r.bytes()
	return unsafe.String(unsafe.SliceData(v), len(v))
}
