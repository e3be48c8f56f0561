package visit

import (
	"encoding/binary"
	"slices"
	"strings"

	"millrace/engine/event"
)

// A journal is: what it is (1 byte; 1 to 4 were former formats), a time that others are
// relative to (varint), and of each site its name (length, bytes), its visitors, and a zero byte.
//
// A visitor is: 1 + twice the number of visits + whether they are whole (uvarint), the hash (8 bytes, little endian), and
// each visit. They replace the visits there were; not whole, they are the last of these, and change no dimensions.
//
// A visit is: marks (1 byte), its last event less the journal's time (varint), its length (uvarint, ms), pageviews
// (uvarint), if marked the place of the event whose dimensions it has (uvarint, ms), how long before the end the last
// pageview was (uvarint, ms), the exit page (length, bytes), and if whole the dimensions (length, bytes).
//
// A visitor with one visit, of which nothing but times and counters has changed, takes some 16 bytes.
//
// Those of a table that names its visits are formats of their own: a visit has its number of events (uvarint) behind it, and
// a whole one its ID (uvarint) behind that.
const (
	formatJournal         = 5
	formatCheckpoint      = 6
	formatNamedJournal    = 7
	formatNamedCheckpoint = 8
)

// format returns a format as this table writes it.
func (t *Table) format(format byte) byte {
	if t.naming != nil {
		return format + formatNamedJournal - formatJournal
	}
	return format
}

// Marks of a visit.
const (
	markInteractive = 1 << iota
	markExitPage    // the exit page follows; else it is the entry page
	markExitKept    // the exit page is what it was
	markEntry       // the place of the dimensions follows; else it is 0
	markExit        // the place of the last pageview follows; else it is the end
	markPinged      // as interactive; former builds had no pings
	allMarks        = 1<<iota - 1
)

// appendTouched appends the visits of a touched visit's visitor, unless an earlier visit touched is his too.
func (t *Table) appendTouched(b []byte, s *site, v *visit, tc *touch, base event.Time) []byte {
	if tc.gone || tc.ended {
		return b
	}
	whole := len(s.moved) > 0 && slices.Contains(s.moved, v.visitor)
	if v.alone() {
		whole = whole || tc.whole
		b = appendHead(b, v.visitor, 1, whole)
		return t.appendVisit(b, tc.slot, whole, base)
	}
	for o := t.first(s, v.visitor); o != 0; {
		w := t.visits.at(o)
		if w.touch != 0 {
			if w.touch < v.touch {
				return b
			}
			whole = whole || t.touches[w.touch-1].whole
		}
		o = w.next
	}
	return t.appendVisitor(b, s, v.visitor, whole, base)
}

// appendVisitor appends all visits of a visitor.
func (t *Table) appendVisitor(b []byte, s *site, visitor event.Visitor, whole bool, base event.Time) []byte {
	n := 0
	for i := t.first(s, visitor); i != 0; i = t.visits.at(i).next {
		n++
	}
	b = appendHead(b, visitor, n, whole)
	for i := t.first(s, visitor); i != 0; i = t.visits.at(i).next {
		b = t.appendVisit(b, i, whole, base)
	}
	return b
}

// appendHead appends what comes before a visitor's n visits.
func appendHead(b []byte, visitor event.Visitor, n int, whole bool) []byte {
	head := uint64(1 + 2*n)
	if whole {
		head++
	}
	b = binary.AppendUvarint(b, head)
	return binary.LittleEndian.AppendUint64(b, uint64(visitor))
}

func (t *Table) appendVisit(b []byte, i int32, whole bool, base event.Time) []byte {
	v := t.visits.at(i)
	marks := byte(0)
	if v.flags&interactive != 0 {
		marks |= markInteractive
	}
	if v.flags&pinged != 0 {
		marks |= markPinged
	}
	if v.entry != 0 {
		marks |= markEntry
	}
	if v.views > 0 && v.exit != v.span {
		marks |= markExit
	}
	if v.exitPage != 0 {
		marks |= markExitPage
		if !whole && (v.touch == 0 || t.touches[v.touch-1].before.exitPage == v.exitPage) {
			marks ^= markExitPage | markExitKept
		}
	}
	b = append(b, marks)
	b = binary.AppendVarint(b, int64(v.last()-base))
	b = binary.AppendUvarint(b, uint64(v.span))
	b = binary.AppendUvarint(b, uint64(v.views))
	if marks&markEntry != 0 {
		b = binary.AppendUvarint(b, uint64(v.entry))
	}
	if marks&markExit != 0 {
		b = binary.AppendUvarint(b, uint64(v.span-v.exit))
	}
	if marks&markExitPage != 0 {
		b = appendBytes(b, t.arena.get(v.exitPage))
	}
	if whole {
		b = appendBytes(b, t.arena.get(v.dims))
	}
	if t.naming != nil {
		b = t.naming.append(b, i, whole)
	}
	return b
}

func appendBytes[T ~string | ~[]byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// markDirty notes that the next Checkpoint must hold a visit.
func (t *Table) markDirty(i int32) {
	v := t.visits.at(i)
	if !t.tracking || v.flags&dirty != 0 {
		return
	}
	v.flags |= dirty
	s := t.sites[v.site]
	t.noteSite(s)
	s.dirty = append(s.dirty, i)
}

// markGone notes that the next Checkpoint must say what has become of visitors.
func (t *Table) markGone(s *site, visitors ...event.Visitor) {
	if t.tracking && len(visitors) > 0 {
		t.noteSite(s)
		s.gone = append(s.gone, visitors...)
	}
}

func (t *Table) noteSite(s *site) {
	if len(s.dirty)+len(s.gone) == 0 {
		t.dirty = append(t.dirty, s)
	}
}

// Checkpoint appends all visits that have changed since the last Checkpoint, self-contained, in a form that Apply
// reads; nothing if there are none. No event can touch any of them any more, as they are in it, once the watermark has passed
// until. REQUIRES: no record is in hand.
//
// A checkpoint takes the place of all journals before. It may be thrown away when the watermark has passed its until
// AND a later one is stored: journals after it may say no more than how its visits went on.
func (t *Table) Checkpoint(dst []byte) (blob []byte, until event.Time) {
	if !t.tracking {
		t.tracking = true
		for i := int32(1); i <= t.visits.made; i++ {
			if t.visits.at(i).site >= 0 {
				t.markDirty(i)
			}
		}
	}
	if len(t.dirty) == 0 {
		return dst, 0
	}
	base := max(0, t.horizon+t.rules.Lateness) // near the watermark
	dst = append(dst, t.format(formatCheckpoint))
	dst = binary.AppendVarint(dst, int64(base))
	if t.naming != nil {
		slices.SortFunc(t.dirty, func(a, b *site) int { return strings.Compare(a.name, b.name) })
	}
	for _, s := range t.dirty {
		if s.number < 0 {
			continue // forgotten
		}
		dst = appendBytes(dst, s.name)
		gone := s.gone
		if t.naming != nil {
			gone = t.changed(s) // all: none is left for the loop after this one
		}
		for _, visitor := range gone {
			dst = t.appendVisitor(dst, s, visitor, true, base)
			until = max(until, t.clean(t.first(s, visitor)))
		}
		for _, i := range s.dirty {
			// The slot may have been freed since, and the visit may be one of a visitor that has been written.
			if v := t.visits.at(i); v.site == s.number && v.flags&dirty != 0 {
				dst = t.appendVisitor(dst, s, v.visitor, true, base)
				until = max(until, t.clean(t.first(s, v.visitor)))
			}
		}
		dst = append(dst, 0)
		s.dirty, s.gone = s.dirty[:0], s.gone[:0]
	}
	clear(t.dirty)
	t.dirty = t.dirty[:0]
	return dst, t.until(until)
}

// clean notes that a visitor's visits are in a checkpoint, and returns the last of their events.
func (t *Table) clean(head int32) (last event.Time) {
	for i := head; i != 0; i = t.visits.at(i).next {
		v := t.visits.at(i)
		v.flags &^= dirty
		last = v.last()
	}
	return last
}
