package visit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"millrace/engine/event"
	"millrace/engine/window"
)

// ErrJournal is wrapped by every error of Apply.
var ErrJournal = errors.New("malformed journal of visits")

// Apply makes the changes that a journal or a checkpoint tells of. Checkpoints come first, in order, then the journals
// since the last. After an error the table is unusable. REQUIRES: no record is in hand.
func (t *Table) Apply(journal []byte) error { return t.apply(journal, false) }

// ApplyTail is Apply where the beginning of the journals is gone: changes of visits that are not known, because they began
// there, are passed over. Once the watermark has moved on by MaxLength, Timeout and Lateness, the table is what it were with
// all journals.
func (t *Table) ApplyTail(journal []byte) error { return t.apply(journal, true) }

func (t *Table) apply(journal []byte, tail bool) error {
	if len(journal) == 0 {
		return nil
	}
	t.tracking = true
	r := reader{b: journal[1:], tail: tail}
	switch format := journal[0]; format {
	case formatCheckpoint:
		r.checkpoint = true
	case formatJournal:
	default:
		return fmt.Errorf("%w: unknown format %d", ErrJournal, format)
	}
	r.base = event.Time(r.varint())
	for len(r.b) > 0 && r.err == nil {
		t.applySite(&r)
	}
	return r.err
}

func (t *Table) applySite(r *reader) {
	s := t.site(view(r.bytes()))
	r.site = s.name
	for r.err == nil {
		head := r.uvarint()
		if head == 0 {
			break
		}
		t.applyVisitor(r, s, (head-1)/2, (head-1)%2 == 1)
	}
	if s.live == 0 {
		t.removeSite(s)
	}
}

// state is a visit as a journal has it.
type state struct {
	visit
	marks          byte
	exitPage, dims []byte
}

func (t *Table) applyVisitor(r *reader, s *site, n uint64, whole bool) {
	visitor := r.visitor()
	if n > uint64(len(r.b)) {
		r.fail("list of visits cut short")
	}
	if r.err != nil {
		return
	}
	i := t.first(s, visitor)
	if whole {
		if i != 0 && !r.checkpoint {
			t.markGone(s, visitor) // one of them may have become another visitor's
		}
		for i != 0 {
			next := t.visits.at(i).next
			t.drop(i)
			i = next
		}
	} else {
		var known uint64
		if i, known = t.lastOf(r, s, i, n); r.err == nil {
			for ; n > known; n-- {
				r.visit(new(state), whole)
			}
		}
	}
	end := event.Time(-1)
	for ; n > 0; n-- {
		var st state
		r.visit(&st, whole)
		if r.err == nil && st.first <= end {
			r.fail("visits of a visitor overlap")
		}
		if r.err != nil {
			return
		}
		end = st.last()
		if whole {
			i = t.make(s, visitor, st.first, st.span)
		}
		t.set(i, &st, whole)
		if !r.checkpoint {
			t.markDirty(i)
		}
		i = t.visits.at(i).next
	}
}

// lastOf drops all of a visitor's visits but the last n and returns the first of these, and how many there are. The others
// have expired where the journal was written.
func (t *Table) lastOf(r *reader, s *site, i int32, n uint64) (first int32, known uint64) {
	for o := i; o != 0; o = t.visits.at(o).next {
		known++
	}
	if known < n && !r.tail || n == 0 {
		r.fail("change of a visit that is not known")
		return 0, 0
	}
	for ; known > n; known-- {
		next := t.visits.at(i).next
		t.drop(i)
		i = next
	}
	return i, known
}

// set gives a visit the state of a journal.
func (t *Table) set(i int32, st *state, whole bool) {
	v := t.visits.at(i)
	v.first, v.span, v.entry, v.exit, v.views = st.first, st.span, st.entry, st.exit, st.views
	v.flags = v.flags&^interactive | st.flags
	if whole {
		v.dims = t.arena.replace(v.dims, st.dims)
	}
	switch {
	case st.marks&markExitKept != 0:
	case st.marks&markExitPage != 0:
		v.exitPage = t.arena.replace(v.exitPage, st.exitPage)
	default:
		t.arena.free(v.exitPage)
		v.exitPage = 0
	}
}

// reader reads fields until one is malformed; from then on it returns zeros.
type reader struct {
	b          []byte
	checkpoint bool
	tail       bool // visits may be unknown
	base       event.Time
	site       string
	err        error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrJournal, what)
	}
	r.b = nil
}

func (r *reader) visit(st *state, whole bool) {
	if len(r.b) == 0 || r.b[0] > allMarks {
		r.fail("bad marks of a visit")
		return
	}
	st.marks, r.b = r.b[0], r.b[1:]
	if st.marks&markInteractive != 0 {
		st.flags |= interactive
	}
	last := r.base + event.Time(r.varint())
	st.span, st.views = r.uint32(), r.uint32()
	st.first = last - event.Time(st.span)
	if st.marks&markEntry != 0 {
		st.entry = r.uint32()
	}
	ago := uint32(0)
	if st.marks&markExit != 0 {
		ago = r.uint32()
	}
	if st.marks&markExitPage != 0 {
		st.exitPage = r.bytes()
	}
	if whole {
		st.dims = r.bytes()
	}
	if r.err == nil {
		r.check(st, whole, last, ago)
	}
	if st.views > 0 {
		st.exit = st.span - ago
	}
}

func (r *reader) check(st *state, whole bool, last event.Time, ago uint32) {
	const exitPage = markExitPage | markExitKept
	switch {
	case st.first < 0 || last >= maxTime || st.span > uint32(maxLength):
		r.fail("visit at no possible time")
	case st.entry > st.span || ago > st.span:
		r.fail("place beyond the end of a visit")
	case st.marks&exitPage == exitPage || whole && st.marks&markExitKept != 0 || st.views == 0 && st.marks&(exitPage|markExit) != 0:
		r.fail("marks of a visit that exclude each other")
	case len(st.exitPage) > window.MaxValueLen:
		r.fail("exit page too long")
	case whole && (len(st.dims) == 0 || len(st.dims) > maxString || !validDims(st.dims, r.site)):
		r.fail("bad dimensions of a visit")
	}
}

func (r *reader) visitor() event.Visitor {
	if len(r.b) < 8 {
		r.fail("visitor cut short")
		return 0
	}
	v := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return event.Visitor(v)
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

func (r *reader) uint32() uint32 {
	v := r.uvarint()
	if v > math.MaxUint32 {
		r.fail("number too large")
		return 0
	}
	return uint32(v)
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

// bytes reads a length and that many bytes, as a view.
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
