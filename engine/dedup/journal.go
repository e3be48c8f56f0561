package dedup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"millrace/engine/wire"
)

// ErrJournal is wrapped by every error of Apply.
var ErrJournal = errors.New("malformed journal of ids")

// A journal is the format (1 byte), and parts. A part is
//
//	uvarint  how many minutes it is after the part before, or after 1970 for the first
//	uvarint  how many minutes the oldest minute remembered is before that
//	uvarint  0, or if there was no room a cut: its rank + 1 (uvarint), how many minutes its minute is before the part's
//	         (uvarint), its site's hash (4 bytes)
//	uvarint  the number of sites, and for each its hash (4 bytes), the number of ids (uvarint), their hashes (8 bytes each)
//
// Numbers of fixed size are little endian. What a part forgets it forgets before its ids come: first those of the cut, then
// minutes. Sites come in the order of their first ids; ids keep their order only among those of a site.
const format = 2

// record is what a record has done, and the memory for it.
type record struct {
	news    []newID
	parts   []part
	dropped bool // minutes have been forgotten
	journal []byte
	grouper grouper
}

type newID struct {
	hash uint64
	site uint32
}

// part is a part of a journal, from the place in news.
type part struct {
	minute, oldest int64
	from           int
	isCut          bool
	cut            cut
}

func (r *record) bytes() int {
	return cap(r.news)*int(unsafe.Sizeof(newID{})) + cap(r.journal) + r.grouper.bytes()
}

// note begins a part, after a cut if there is one.
func (s *Set) note(c *cut) {
	p := part{minute: s.gens[len(s.gens)-1].minute, oldest: s.gens[0].minute, from: len(s.news)}
	if c != nil {
		p.isCut, p.cut = true, *c
	}
	s.parts = append(s.parts, p)
}

// Flush ends the record at an offset. It returns the journal of what changed, nil if nothing did, valid until the next
// Flush; and, if the record made Set forget minutes of records before, the offset before which journals are needed no more,
// else 0.
func (s *Set) Flush(offset int64) (journal []byte, seenFrom int64) {
	for i := range s.gens {
		if g := &s.gens[i]; g.offset == pending {
			g.offset = offset
		}
	}
	if s.dropped {
		seenFrom = s.gens[0].offset
	}
	if len(s.parts) > 0 {
		s.journal = s.appendJournal(s.journal[:0])
		journal = s.journal
	}
	s.news, s.parts, s.dropped = s.news[:0], s.parts[:0], false
	return journal, seenFrom
}

func (s *Set) appendJournal(b []byte) []byte {
	b = append(b, format)
	minute := int64(0)
	for i, p := range s.parts {
		to := len(s.news)
		if i+1 < len(s.parts) {
			to = s.parts[i+1].from
		}
		b = binary.AppendUvarint(b, uint64(p.minute-minute))
		b = binary.AppendUvarint(b, uint64(p.minute-p.oldest))
		if p.isCut {
			b = binary.AppendUvarint(b, uint64(p.cut.rank)+1)
			b = binary.AppendUvarint(b, uint64(p.minute-p.cut.minute))
			b = binary.LittleEndian.AppendUint32(b, p.cut.site)
		} else {
			b = append(b, 0)
		}
		b = s.grouper.append(b, s.news[p.from:to])
		minute = p.minute
	}
	return b
}

// maxMinute is past any that package event reads.
const maxMinute = 1 << 40

// Apply makes the changes that the journal of the record at an offset tells of. Journals come in order of offset; the
// first is that at the last seenFrom, or any before. After an error the set is unusable. REQUIRES: no record is in hand.
func (s *Set) Apply(offset int64, journal []byte) error {
	if len(journal) == 0 {
		return nil
	}
	switch {
	case journal[0] > format:
		return fmt.Errorf("%w: %w", ErrJournal, wire.Newer(int(journal[0]), format, format))
	case journal[0] < format:
		return fmt.Errorf("%w: unknown format %d", ErrJournal, journal[0])
	}
	r := reader{wire.Reader{B: journal[1:], Of: ErrJournal}}
	for minute := int64(0); len(r.B) > 0; {
		p := r.part(minute)
		if r.Err == nil {
			r.Err = s.applyPart(offset, &p)
		}
		for range r.number() {
			if r.Err != nil {
				break
			}
			s.applySite(&r)
		}
		if r.Err != nil {
			return r.Err
		}
		minute = p.minute
	}
	s.dropped = false
	return nil
}

// applyPart does what comes before a part's ids.
func (s *Set) applyPart(offset int64, p *part) error {
	switch n := len(s.gens); {
	case n == 0 || s.gens[n-1].minute < p.minute:
		s.begin(p.minute, offset)
	case s.gens[n-1].minute > p.minute:
		return fmt.Errorf("%w: part of minute %d after minute %d", ErrJournal, p.minute, s.gens[n-1].minute)
	}
	if p.isCut {
		s.cut(newWalk(s), p.cut)
	}
	for s.gens[0].minute < p.oldest {
		s.drop()
	}
	return nil
}

// applySite reads the ids of a site.
func (s *Set) applySite(r *reader) {
	site, n := r.Uint32(), r.number()
	if r.Err == nil && n > uint64(len(r.B)/8) {
		r.Fail("ids cut short")
	}
	if r.Err == nil && site == 0 {
		r.Fail("site 0")
	}
	for ; n > 0 && r.Err == nil; n-- {
		h := r.Uint64()
		if h == 0 {
			r.Fail("id 0")
		} else if !s.ids.has(h) {
			s.remember(site, h)
		}
	}
}

// reader reads the fields of a journal.
type reader struct{ wire.Reader }

// part reads the head of a part after one of a minute.
func (r *reader) part(minute int64) part {
	p := part{minute: minute + int64(r.number())}
	p.oldest = p.minute - int64(r.number())
	if n := r.number(); n > 0 {
		p.isCut, p.cut.rank = true, int(n-1)
		p.cut.minute = p.minute - int64(r.number())
		p.cut.site = r.Uint32()
	}
	if p.minute > maxMinute || p.oldest < 0 || p.cut.minute < 0 {
		r.Fail("part at no possible time")
	}
	return p
}

// number reads a number that a minute or a count may be.
func (r *reader) number() uint64 {
	v := r.Uvarint()
	if v > maxMinute {
		r.Fail("number too large")
		return 0
	}
	return v
}
