package state

import (
	"encoding/binary"
	"fmt"

	"millrace/engine/delta"
	"millrace/engine/event"
	"millrace/engine/visit"
)

// Live visits are in memory, and every record's changes of them are journaled under its offset. Now
// and then what has changed since the last time is written as one checkpoint in place of the
// journal, so that a start reads little: one write for a visit in ten minutes instead of one for
// each of its events.

// journal is what is on disk of live visits.
type journal struct {
	bytes       int        // since the last checkpoint
	at          event.Time // watermark of the last checkpoint
	checkpoints []checkpoint
}

// checkpoint is one on disk. When the watermark has passed until, no visit in it is alive.
type checkpoint struct {
	offset int64
	until  event.Time
}

const (
	// checkpointHead is the length of what stands before the visits: the watermark of the record
	// and until.
	checkpointHead = 16
	// maxJournal is the size in bytes, and journalTime the age in log time, at which the journal
	// gives way to a checkpoint. A start reads the journal in a fraction of a second; a checkpoint
	// holds each visit that has changed since the last, so more of them write more visits several
	// times.
	maxJournal  = 32 << 20
	journalTime = 10 * event.Minute
)

// Visits returns the live visits after the last delta applied. Whoever calls Apply changes them,
// before it applies what changed them; Recover does so itself.
func (s *Store) Visits() *visit.Table { return s.visits }

// ReadVisits adds what the store holds on disk of live visits to t, which is empty.
func (s *Store) ReadVisits(t *visit.Table) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.end()
	return s.readVisits(t, &journal{})
}

// applyVisits makes the changes of a journal. After a start in the middle of a changelog it may
// speak of visits that began before.
func (s *Store) applyVisits(t *visit.Table, journal []byte) error {
	if s.warm != 0 {
		return t.ApplyTail(journal)
	}
	return t.Apply(journal)
}

// loadVisits reads the live visits of a store that is being opened, and how much of the journal
// there is.
func (s *Store) loadVisits() error { return s.readVisits(s.visits, &s.journal) }

// readVisits reads the checkpoints and then the journal into a table, and notes in j what it has
// found. What has ended by the store's watermark is left out.
func (s *Store) readVisits(t *visit.Table, j *journal) error {
	apply := func(k, v []byte) error {
		if err := s.applyVisits(t, v); err != nil {
			return fmt.Errorf("%w: visits of offset %d: %w", ErrCorrupt, binary.BigEndian.Uint64(k[1:]), err)
		}
		return nil
	}
	err := s.scan(prefixCheckpoint, func(k, v []byte) error {
		if len(v) < checkpointHead {
			return fmt.Errorf("%w: checkpoint of %d bytes", ErrCorrupt, len(v))
		}
		j.at = event.Time(binary.BigEndian.Uint64(v))
		// The rules may have been others when it was written.
		until := t.Until(event.Time(binary.BigEndian.Uint64(v[8:])))
		j.checkpoints = append(j.checkpoints, checkpoint{int64(binary.BigEndian.Uint64(k[1:])), until})
		return apply(k, v[checkpointHead:])
	})
	if err != nil {
		return err
	}
	if err := s.scan(prefixJournal, func(k, v []byte) error {
		j.bytes += len(v)
		return apply(k, v)
	}); err != nil {
		return err
	}
	t.Expire(s.watermark)
	return nil
}

// keepVisits adds what a delta did to visits to its batch: s.visits is as the delta leaves it.
func (s update) keepVisits(d *delta.Delta) error {
	j := &s.journal
	if j.bytes+len(d.Visits) < maxJournal && d.Watermark-j.at < journalTime {
		if len(d.Visits) == 0 {
			return nil
		}
		j.bytes += len(d.Visits)
		s.keybuf = appendOffsetKey(s.keybuf[:0], prefixJournal, d.Offset)
		return s.batch.Set(s.keybuf, d.Visits, nil)
	}
	s.keybuf = appendOffsetKey(s.keybuf[:0], prefixCheckpoint, d.Offset)
	blob, until := s.visits.Checkpoint(make([]byte, checkpointHead))
	binary.BigEndian.PutUint64(blob, uint64(d.Watermark))
	binary.BigEndian.PutUint64(blob[8:], uint64(until))
	if err := s.batch.Set(s.keybuf, blob, nil); err != nil {
		return err
	}
	j.bytes, j.at = 0, d.Watermark
	// A partition that has little to do fills no memtable for hours, and a crash should not send
	// the next start back that far in the changelog.
	s.flush = true
	j.checkpoints = append(j.checkpoints, checkpoint{d.Offset, until})
	if err := s.batch.DeleteRange([]byte{prefixJournal}, []byte{prefixJournal + 1}, nil); err != nil {
		return err
	}
	n := 0
	for n < len(j.checkpoints)-1 && j.checkpoints[n].until < d.Watermark {
		s.keybuf = appendOffsetKey(s.keybuf[:0], prefixCheckpoint, j.checkpoints[n].offset)
		if err := s.batch.Delete(s.keybuf, nil); err != nil {
			return err
		}
		n++
	}
	j.checkpoints = append(j.checkpoints[:0], j.checkpoints[n:]...)
	return nil
}

// keepSeen adds the ids of a record to its batch, and forgets those past the horizon.
func (s update) keepSeen(d *delta.Delta) error {
	if len(d.Seen) > 0 {
		s.keybuf = appendOffsetKey(s.keybuf[:0], prefixSeen, d.Offset)
		if err := s.batch.Set(s.keybuf, d.Seen, nil); err != nil {
			return err
		}
	}
	if d.SeenFrom == 0 {
		return nil
	}
	return s.batch.DeleteRange(appendOffsetKey(nil, prefixSeen, 0), appendOffsetKey(nil, prefixSeen, d.SeenFrom), nil)
}

// Seen calls fn for the ids of each record within the horizon, in order of offset. Fn must not call
// s.
func (s *Store) Seen(fn func(offset int64, journal []byte) error) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.end()
	return s.scan(prefixSeen, func(k, v []byte) error {
		return fn(int64(binary.BigEndian.Uint64(k[1:])), v)
	})
}
