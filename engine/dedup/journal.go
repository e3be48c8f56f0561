package dedup

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrJournal is wrapped by every error of Apply.
var ErrJournal = errors.New("malformed journal of ids")

// A journal is the format (1 byte), and parts: how many minutes after the part before, or after 1970 for the first
// (uvarint), how many minutes the oldest minute remembered is before that (uvarint), the number of ids (uvarint), and the ids'
// hashes (8 bytes each, little endian). What a record forgets it forgets at the beginning of a part.
const format = 1

// record is what a record has done, and the memory for it.
type record struct {
	news    []uint64 // ids that were new
	parts   []part
	dropped bool // minutes have been forgotten
	journal []byte
}

// part is a part of a journal, from the place in news.
type part struct {
	minute, oldest int64
	from           int
}

// note begins a part.
func (s *Set) note() {
	s.parts = append(s.parts, part{s.gens[len(s.gens)-1].minute, s.gens[0].minute, len(s.news)})
}

// Flush ends the record at an offset. It returns the journal of what changed, nil if nothing did, valid until the next
// Flush; and, if the record made Set forget ids of records before, the offset before which journals are needed no more,
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
		b = binary.AppendUvarint(b, uint64(to-p.from))
		for _, h := range s.news[p.from:to] {
			b = binary.LittleEndian.AppendUint64(b, h)
		}
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
	if journal[0] != format {
		return fmt.Errorf("%w: unknown format %d", ErrJournal, journal[0])
	}
	minute := int64(0)
	for b := journal[1:]; len(b) > 0; {
		var head [3]uint64 // minutes on, minutes back, ids
		for i := range head {
			v, n := binary.Uvarint(b)
			if n <= 0 || v > maxMinute {
				return fmt.Errorf("%w: number cut short or too large", ErrJournal)
			}
			head[i], b = v, b[n:]
		}
		if minute += int64(head[0]); minute > maxMinute || head[1] > uint64(minute) || head[2] > uint64(len(b)/8) {
			return fmt.Errorf("%w: part at no possible time or cut short", ErrJournal)
		}
		if err := s.applyPart(offset, minute, minute-int64(head[1]), b[:8*head[2]]); err != nil {
			return err
		}
		b = b[8*head[2]:]
	}
	return nil
}

func (s *Set) applyPart(offset, minute, oldest int64, hashes []byte) error {
	switch n := len(s.gens); {
	case n == 0 || s.gens[n-1].minute < minute:
		s.begin(minute, offset)
	case s.gens[n-1].minute > minute:
		return fmt.Errorf("%w: part of minute %d after minute %d", ErrJournal, minute, s.gens[n-1].minute)
	}
	for s.gens[0].minute < oldest {
		s.drop()
	}
	s.dropped = false
	for ; len(hashes) > 0; hashes = hashes[8:] {
		h := binary.LittleEndian.Uint64(hashes)
		if h == 0 {
			return fmt.Errorf("%w: id 0", ErrJournal)
		}
		s.remember(h)
	}
	return nil
}
