package window

import (
	"encoding/binary"
	"fmt"

	"millrace/engine/event"
)

// A folded chunk is: status (flags, FiredAt + 1 as uvarint), and per family its number (1 byte),
// the number of values (uvarint) and for each its one or two dimensions (length-prefixed), a set of
// what it has (1 byte), of its counters those that are not 0 (varints), in the order of the set,
// revenue followed by the number of events with an amount, and the sketch (length-prefixed), if not
// empty. Values are in order of first appearance, Other last: the order is part of the state,
// because it decides which values stay.
const (
	hasEvents = 1 << iota
	hasPageviews
	hasRevenue
	hasVisits
	hasBounces
	hasSeconds
	hasViews
	hasSketch
)

// Fired notes a firing, as the mark that AppendMark appends does.
func (a *Agg) Fired(offset int64, final bool) { a.status = Status{FiredAt: offset, Final: final} }

// AppendFolded appends everything added so far as one chunk.
func (a *Agg) AppendFolded(dst []byte) []byte {
	// The length of the chunk stands before it and is known last: room for it is left, and closed.
	start := len(dst)
	p := append(dst, make([]byte, 1+maxChunkLen)...)
	p = a.status.appendFolded(p)
	a.settle()
	var sk, own []byte
	for f := range a.fams {
		t := &a.fams[f]
		n := len(t.cells)
		if n == 0 {
			continue
		}
		p = append(p, byte(f))
		p = binary.AppendUvarint(p, uint64(n))
		t.each(func(place int) {
			c := &t.cells[place]
			if a.enc.valid && Family(f).In(Minute) {
				sk = a.enc.sketch(Family(f), place)
			} else {
				sk = c.visitors.AppendBinary(own[:0])
				own = sk
			}
			switch len(families[f].dims) {
			case 1:
				p = appendString(p, c.text)
			case 2:
				p = appendString(appendString(p, c.first()), c.second())
			}
			p = appendCounts(p, &c.events, t.visitsAt(place), sk)
		})
	}
	payload := p[start+1+maxChunkLen:]
	p[start] = chunkFolded
	n := 1 + binary.PutUvarint(p[start+1:], uint64(len(payload)))
	copy(p[start+n:], payload)
	return p[:start+n+len(payload)]
}

// maxChunkLen is what the length of a chunk takes at most.
const maxChunkLen = binary.MaxVarintLen64

func appendCounts(p []byte, e *events, v visits, sk []byte) []byte {
	all := [...]int64{e.events, int64(e.pageviews), int64(e.revenue), v.visits, v.bounces, v.seconds, v.views}
	at := len(p)
	p = append(p, 0)
	for i, v := range all {
		has := byte(1) << i
		if v != 0 || has == hasRevenue && e.paid != 0 {
			p[at] |= has
			p = binary.AppendVarint(p, v)
		}
		if p[at]&has == hasRevenue {
			p = binary.AppendVarint(p, int64(e.paid))
		}
	}
	if len(sk) > 0 {
		p[at] |= hasSketch
		p = binary.AppendUvarint(p, uint64(len(sk)))
		p = append(p, sk...)
	}
	return p
}

// addFolded adds a folded chunk; paid: it has the number of events with an amount.
func (a *Agg) addFolded(payload []byte, paid bool) error {
	rest, err := a.status.addFolded(payload)
	if err != nil {
		return err
	}
	p := newReader(rest)
	for len(p.B) > 0 {
		f := Family(p.B[0])
		if f >= NumFamilies {
			return fmt.Errorf("%w: unknown family %d", ErrChunk, f)
		}
		p.B = p.B[1:]
		for n := p.Count(1); n > 0 && p.Err == nil; n-- {
			if err := a.addCell(f, &p, paid); err != nil {
				return err
			}
		}
	}
	return p.Err
}

func (a *Agg) addCell(f Family, p *reader, paid bool) error {
	first, second := noValue, noValue
	switch len(families[f].dims) {
	case 2:
		first, second = valueOf(p.Text()), valueOf(p.Text())
	case 1:
		first = valueOf(p.Text())
	}
	if len(families[f].dims) > 0 && first.s == "" || len(families[f].dims) > 1 && second.s == "" {
		p.Fail("empty value")
	}
	e, v, sk := readCounts(p, paid)
	if p.Err != nil {
		return p.Err
	}
	into := a.cell(f, &first, &second)
	into.events.add(&e)
	if v != (visits{}) {
		a.visits(f, &first, &second).add(&v)
	}
	if err := into.visitors.MergeBinary(sk); err != nil {
		return fmt.Errorf("%w: %w", ErrChunk, err)
	}
	return nil
}

func readCounts(p *reader, paid bool) (e events, v visits, sk []byte) {
	if len(p.B) == 0 {
		p.Fail("counters cut short")
		return e, v, nil
	}
	has := p.B[0]
	p.B = p.B[1:]
	number := func(bit byte) int64 {
		if has&bit == 0 {
			return 0
		}
		return p.Varint()
	}
	short := func(bit byte) uint32 {
		n := number(bit)
		if n != int64(uint32(n)) {
			p.Fail("counter out of range")
		}
		return uint32(n)
	}
	e = events{events: number(hasEvents), pageviews: short(hasPageviews), revenue: event.Money(number(hasRevenue))}
	if paid {
		e.paid = short(hasRevenue)
	}
	v = visits{number(hasVisits), number(hasBounces), number(hasSeconds), number(hasViews)}
	if has&hasSketch != 0 {
		sk = []byte(p.Text())
	}
	return e, v, sk
}
