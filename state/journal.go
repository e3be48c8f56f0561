package state

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"millrace/engine/delta"
	"millrace/engine/event"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// update is a change of the store under way, in one batch.
type update struct {
	*Store
	batch *pebble.Batch
}

// Apply applies a delta of the live path, encoded, in one batch. One that has been applied already
// changes nothing (J1).
func (s *Store) Apply(b []byte) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.end()
	d := &s.decoded
	if err := d.Decode(b); err != nil {
		return err
	}
	if d.Offset <= s.last && s.opts.Without&J1 == 0 {
		return nil
	}
	if d.Prev != s.last && s.opts.Without&J1 == 0 {
		return fmt.Errorf("%w: delta %d follows %d, the state is at %d", ErrChain, d.Offset, d.Prev, s.last)
	}
	u := update{s, pebbleOf(s).NewBatch()}
	defer u.batch.Close()
	// J2: the delta itself, in the same batch as its effect.
	s.keybuf = appendOffsetKey(s.keybuf[:0], prefixOutbox, d.Offset)
	if err := u.batch.Set(s.keybuf, b, nil); err != nil {
		return err
	}
	if err := u.effect(d); err != nil {
		return err
	}
	s.mu.Lock()
	s.outbox = append(s.outbox, entry{Head: d.Head()})
	err := u.finish(d.Offset, d.Watermark, d.Meta)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return u.commit(d)
}

// Recover reads one record of the changelog, which stands at a position. It is called for all
// records from Position on, in order.
func (s *Store) Recover(position int64, b []byte) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.end()
	d := &s.decoded
	if err := d.Decode(b); err != nil {
		return fmt.Errorf("changelog position %d: %w", position, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	expired := position > s.position // what lay between is gone
	s.position = position + 1
	u := update{s, pebbleOf(s).NewBatch()}
	defer u.batch.Close()
	switch {
	case s.follows(d):
		if s.warm != 0 && d.Watermark > s.warm {
			s.warm = 0
		}
	case d.Offset > s.last && (expired || s.stale(d)):
		if err := u.startOver(d); err != nil {
			return err
		}
	case expired && d.Offset > s.accepted:
		// applied already, and from here on the chain goes on
	default:
		return nil // seen before, or early: its like comes again (J5)
	}
	s.accepted, s.acceptedAt = d.Offset, d.Watermark
	s.trim(d.Offset)
	if d.Offset <= s.last {
		if err := u.finish(s.last, s.watermark, s.meta); err != nil {
			return err
		}
		return u.batch.Commit(pebble.NoSync)
	}
	if err := s.applyVisits(s.visits, d.Visits); err != nil {
		return fmt.Errorf("changelog position %d: %w", position, err)
	}
	s.visits.Expire(d.Watermark)
	if err := u.effect(d); err != nil {
		return err
	}
	if err := u.finish(d.Offset, d.Watermark, d.Meta); err != nil {
		return err
	}
	return u.commit(d)
}

// follows is rule J5.
func (s *Store) follows(d *delta.Delta) bool {
	if s.opts.Without&J5 != 0 {
		return d.Offset > s.accepted
	}
	return d.Prev == s.accepted && d.Offset > s.accepted
}

// startOver makes a delta the first of the chain: the records between the store's position and this
// one have expired, and what they did can no longer matter.
func (s update) startOver(d *delta.Delta) error {
	s.warm = d.Watermark + s.opts.Life
	s.fired, s.closing = s.fired[:0], s.closing[:0]
	s.visits, s.journal = visit.NewTable(s.opts.Visits), journal{}
	for _, prefix := range []byte{prefixMinute, prefixHour, prefixVisits, prefixFired, prefixJournal, prefixCheckpoint, prefixSeen} {
		if err := s.batch.DeleteRange([]byte{prefix}, []byte{prefix + 1}, nil); err != nil {
			return err
		}
	}
	return nil
}

// stale reports whether the chain began with a delta that nothing follows. Where the beginning of
// the changelog has expired, what is left may begin with one that a zombie wrote once more, long
// after its like. An early delta shows the same gap, but a small one: it and the one it follows
// were in flight together. So the chain begins again only at a gap of half a Life, and only until
// it has held for a Life. The windows of that time have closed by the changelog's end, since it is
// kept for longer than three Lives (J9). What this can't tell apart is an early delta that stands
// right behind a time of half a Life, 7 h, in which nobody wrote to the log at all, or over which
// the clocks of all collectors leapt: see docs/limits.md.
func (s *Store) stale(d *delta.Delta) bool {
	return s.warm != 0 && d.Prev > s.accepted && d.Watermark-s.acceptedAt > s.opts.Life/2
}

// effect adds what a delta does to windows, visits and ids, and the list of what it fired (J11).
func (s update) effect(d *delta.Delta) error {
	for i := range d.Adds {
		a := &d.Adds[i]
		s.keybuf = appendWindowKey(s.keybuf[:0], a.Kind, a.Site, a.Start)
		if err := s.batch.Merge(s.keybuf, a.Chunk, nil); err != nil {
			return err
		}
	}
	for i := range d.Fired {
		f := &d.Fired[i]
		s.keybuf = appendWindowKey(s.keybuf[:0], f.Kind, f.Site, f.Start)
		s.valbuf = window.AppendMark(s.valbuf[:0], d.Offset, f.Final)
		put := s.batch.Merge
		if f.Kind == window.Hour {
			put = s.batch.Set
		}
		if err := put(s.keybuf, s.valbuf, nil); err != nil {
			return err
		}
	}
	if err := s.keepVisits(d); err != nil {
		return err
	}
	if err := s.keepSeen(d); err != nil {
		return err
	}
	if len(d.Fired) > 0 || d.Progress != 0 {
		s.keybuf = appendOffsetKey(s.keybuf[:0], prefixFired, d.Offset)
		s.valbuf = binary.AppendVarint(delta.AppendFired(s.valbuf[:0], d.Fired), int64(d.Progress))
		return s.batch.Set(s.keybuf, s.valbuf, nil)
	}
	return nil
}

// finish adds the bookkeeping that every batch carries: the meta record and what may be deleted by
// now. The caller holds mu.
func (s update) finish(last int64, watermark event.Time, meta []byte) error {
	s.valbuf = binary.BigEndian.AppendUint64(s.valbuf[:0], uint64(last))
	s.valbuf = binary.BigEndian.AppendUint64(s.valbuf, uint64(s.accepted))
	s.valbuf = binary.BigEndian.AppendUint64(s.valbuf, uint64(s.position))
	s.valbuf = binary.BigEndian.AppendUint64(s.valbuf, uint64(s.acceptedAt))
	s.valbuf = binary.BigEndian.AppendUint64(s.valbuf, uint64(s.warm))
	s.valbuf = binary.BigEndian.AppendUint64(s.valbuf, uint64(watermark))
	s.valbuf = append(s.valbuf, meta...)
	if err := s.batch.Set(keyMeta, s.valbuf, nil); err != nil {
		return err
	}
	for _, o := range s.trimmed {
		s.keybuf = appendOffsetKey(s.keybuf[:0], prefixOutbox, o)
		if err := s.batch.Delete(s.keybuf, nil); err != nil {
			return err
		}
	}
	s.trimmed = s.trimmed[:0]
	return s.expire()
}

// expire deletes what only records below the commit still needed.
func (s update) expire() error {
	n := 0
	for ; n < len(s.fired) && s.fired[n] < s.committed; n++ {
		s.keybuf = appendOffsetKey(s.keybuf[:0], prefixFired, s.fired[n])
		if err := s.batch.Delete(s.keybuf, nil); err != nil {
			return err
		}
	}
	s.fired = append(s.fired[:0], s.fired[n:]...)
	n = 0
	for n < len(s.closing) && (s.closing[n].offset < s.committed || s.opts.Without&J8 != 0) { // J8
		n++
	}
	if n == 0 {
		return nil
	}
	last := s.closing[n-1]
	s.closing = append(s.closing[:0], s.closing[n:]...)
	for kind, horizon := range map[window.Kind]event.Time{window.Minute: last.minutes, window.Hour: last.minutes, window.Visits: last.visits} {
		from, to := appendWindowKey(nil, kind, "", minTime), appendWindowKey(nil, kind, "", horizon)
		if err := s.batch.DeleteRange(from, to, nil); err != nil {
			return err
		}
	}
	return nil
}

// minTime is before every window.
const minTime = -1 << 63

// commit writes the batch and moves what is kept in memory.
func (s update) commit(d *delta.Delta) error {
	if err := s.batch.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("apply delta %d: %w", d.Offset, err)
	}
	if s.flush {
		s.flush = false
		if _, err := pebbleOf(s.Store).AsyncFlush(); err != nil {
			return fmt.Errorf("flush state: %w", err)
		}
	}
	s.last = d.Offset
	s.meta = append(s.meta[:0], d.Meta...)
	if len(d.Fired) > 0 || d.Progress != 0 {
		s.fired = append(s.fired, d.Offset)
	}
	s.watermark = d.Watermark
	if d.Horizon != 0 {
		if n := len(s.closing); n > 0 && s.closing[n-1].minutes == d.Horizon && s.closing[n-1].visits == d.VisitHorizon {
			return nil // waiting already, for an earlier record
		}
		s.closing = append(s.closing, closing{d.Offset, d.Horizon, d.VisitHorizon})
	}
	return nil
}

// Outbox returns the delta of a record that is applied and not known to be in the changelog, to be
// written again verbatim (J2), or nil.
func (s *Store) Outbox(offset int64) ([]byte, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.end()
	s.mu.Lock()
	waiting := false
	for i := range s.outbox {
		if s.outbox[i].Offset == offset {
			waiting = true
			break
		}
	}
	s.mu.Unlock()
	if !waiting || s.opts.Without&J2 != 0 {
		return nil, nil
	}
	s.keybuf = appendOffsetKey(s.keybuf[:0], prefixOutbox, offset)
	b, err := s.get(s.keybuf)
	if err != nil {
		return nil, fmt.Errorf("read outbox %d: %w", offset, err)
	}
	return b, nil
}

// Acked says that the changelog holds the delta of a record at a position.
func (s *Store) Acked(offset, position int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var e *entry
	for i := range s.outbox {
		if s.outbox[i].Offset == offset {
			e = &s.outbox[i]
			e.acked = true
			break
		}
	}
	s.advance(e, position)
	n := 0
	for n < len(s.outbox) && s.outbox[n].acked { // J3
		n++
	}
	switch {
	case s.opts.Without&J3 != 0:
		s.trim(offset)
	case n > 0:
		s.trim(s.outbox[n-1].Offset)
	}
}

// advance is rule J6. An acknowledgement that is not for the next position shows that somebody else
// wrote in between, and what he wrote has not been read: the next start reads from here.
func (s *Store) advance(e *entry, position int64) {
	if s.opts.Without&J6 != 0 {
		s.position = max(s.position, position+1)
		if e != nil {
			s.accepted = max(s.accepted, e.Offset)
		}
		return
	}
	if position < s.position || s.frozen {
		return
	}
	if position > s.position {
		s.frozen = true
		return
	}
	s.position++
	if e != nil && e.Prev == s.accepted {
		s.accepted, s.acceptedAt = e.Offset, e.Watermark
	}
}

// trim drops the outbox up to and including an offset. The caller holds mu.
func (s *Store) trim(offset int64) {
	n := 0
	for n < len(s.outbox) && s.outbox[n].Offset <= offset {
		s.trimmed = append(s.trimmed, s.outbox[n].Offset)
		n++
	}
	s.outbox = append(s.outbox[:0], s.outbox[n:]...)
}

// Committed says that the group has committed a partition's offset: every record below it is
// finished.
func (s *Store) Committed(next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committed = max(s.committed, next)
}

// Fired returns what a record that has been applied fired and announced, until the commit has
// passed it.
func (s *Store) Fired(offset int64) (list []delta.Fired, progress int64, err error) {
	if err := s.begin(); err != nil {
		return nil, 0, err
	}
	defer s.end()
	if s.opts.Without&J11 != 0 {
		return nil, 0, nil
	}
	s.keybuf = appendOffsetKey(s.keybuf[:0], prefixFired, offset)
	b, err := s.get(s.keybuf)
	if err != nil || b == nil {
		return nil, 0, err
	}
	list, rest, err := delta.DecodeFired(b)
	if err != nil {
		return nil, 0, fmt.Errorf("read fired windows of %d: %w: %w", offset, ErrCorrupt, err)
	}
	progress, _ = binary.Varint(rest)
	return list, progress, nil
}
