package visit

import (
	"errors"
	"fmt"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/engine/wire"
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
	r := reader{Reader: wire.Reader{B: journal[1:], Of: ErrJournal}, tail: tail}
	switch format := journal[0]; {
	case format > formatNamedCheckpoint:
		return fmt.Errorf("%w: %w", ErrJournal, wire.Newer(int(format), formatJournal, formatNamedCheckpoint))
	case format < formatJournal:
		return fmt.Errorf("%w: unknown format %d", ErrJournal, format)
	case (format >= formatNamedJournal) != (t.naming != nil):
		return fmt.Errorf("%w: format %d, and the table names visits: %v", ErrJournal, format, t.naming != nil)
	default:
		r.checkpoint = format == t.format(formatCheckpoint)
		r.named = t.naming != nil
	}
	r.base = event.Time(r.Varint())
	for len(r.B) > 0 && r.Err == nil {
		t.applySite(&r)
	}
	return r.Err
}

func (t *Table) applySite(r *reader) {
	s := t.site(view(r.Bytes()))
	r.site = s.name
	for r.Err == nil {
		head := r.Uvarint()
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
	name           name // of a table that names visits
}

func (t *Table) applyVisitor(r *reader, s *site, n uint64, whole bool) {
	visitor := r.visitor()
	if n > uint64(len(r.B)) {
		r.Fail("list of visits cut short")
	}
	if r.Err != nil {
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
		if i, known = t.lastOf(r, s, i, n); r.Err == nil {
			for ; n > known; n-- {
				r.visit(new(state), whole)
			}
		}
	}
	end := event.Time(-1)
	for ; n > 0; n-- {
		var st state
		r.visit(&st, whole)
		if r.Err == nil && st.first <= end {
			r.Fail("visits of a visitor overlap")
		}
		if r.Err != nil {
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
		r.Fail("change of a visit that is not known")
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
	v.flags = v.flags&^(interactive|pinged) | st.flags
	if whole {
		v.dims = t.arena.replace(v.dims, st.dims)
	}
	if t.naming != nil {
		t.naming.set(i, st.name, whole)
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

// reader reads the fields of a journal or a checkpoint.
type reader struct {
	wire.Reader
	checkpoint bool
	named      bool // visits have names
	tail       bool // visits may be unknown
	base       event.Time
	site       string
}

func (r *reader) visit(st *state, whole bool) {
	if len(r.B) == 0 || r.B[0] > allMarks {
		r.Fail("bad marks of a visit")
		return
	}
	st.marks, r.B = r.B[0], r.B[1:]
	if st.marks&markInteractive != 0 {
		st.flags |= interactive
	}
	if st.marks&markPinged != 0 {
		st.flags |= pinged
	}
	last := r.base + event.Time(r.Varint())
	st.span, st.views = r.Uvarint32(), r.Uvarint32()
	st.first = last - event.Time(st.span)
	if st.marks&markEntry != 0 {
		st.entry = r.Uvarint32()
	}
	ago := uint32(0)
	if st.marks&markExit != 0 {
		ago = r.Uvarint32()
	}
	if st.marks&markExitPage != 0 {
		st.exitPage = r.Bytes()
	}
	if whole {
		st.dims = r.Bytes()
	}
	if r.named {
		st.name.events = r.Uvarint32()
		if whole {
			st.name.id = ID(r.Uvarint())
		}
	}
	if r.Err == nil {
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
		r.Fail("visit at no possible time")
	case st.entry > st.span || ago > st.span:
		r.Fail("place beyond the end of a visit")
	case st.marks&exitPage == exitPage || whole && st.marks&markExitKept != 0 || st.views == 0 && st.marks&(exitPage|markExit) != 0:
		r.Fail("marks of a visit that exclude each other")
	case len(st.exitPage) > window.MaxValueLen:
		r.Fail("exit page too long")
	case whole && (len(st.dims) == 0 || len(st.dims) > maxString || !validDims(st.dims, r.site)):
		r.Fail("bad dimensions of a visit")
	}
}

func (r *reader) visitor() event.Visitor { return event.Visitor(r.Uint64()) }
