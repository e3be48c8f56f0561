package local

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"millrace/engine/event"
	"millrace/engine/window"
)

// days is the making of sums of days.
type days struct {
	ctx  context.Context // ends with Close
	stop context.CancelFunc
	log  *slog.Logger

	// making is the day that is under way, if making.site is set; a write of its windows sets stale. Both are guarded by Store.writing.
	making summedDay
	stale  bool

	mu      sync.Mutex // guards what follows
	wished  map[familyDay]bool
	running bool
}

// maxWished bounds what is remembered of what was asked for: the next query asks again.
const maxWished = 20_000

func (d *days) init(log *slog.Logger) {
	d.ctx, d.stop = context.WithCancel(context.Background())
	d.log = log
	d.wished = map[familyDay]bool{}
}

// wish has sums made in the background. It is called by who has entered the store.
func (s *Store) wish(list []familyDay) {
	if len(list) == 0 {
		return
	}
	d := &s.days
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, day := range list {
		if len(d.wished) < maxWished {
			d.wished[day] = true
		}
	}
	if !d.running {
		d.running = true
		s.users.Add(1)
		go s.makeDays()
	}
}

// take returns a day that was wished for; ok is unset at the end of all work.
func (d *days) take() (next familyDay, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx.Err() == nil {
		for next = range d.wished {
			delete(d.wished, next)
			return next, true
		}
	}
	d.running = false
	return next, false
}

// makeDays makes what was wished for, and rests for as long as it has worked, so that it takes half of a processor.
func (s *Store) makeDays() {
	defer s.users.Done()
	for {
		next, ok := s.days.take()
		if !ok {
			return
		}
		began := time.Now()
		if err := s.makeDay(s.days.ctx, &next); err != nil && s.days.ctx.Err() == nil {
			s.days.log.Warn("sums of a day were not made: queries read its hours", "site", next.site, "family", next.family, "day", next.start, "err", err)
		}
		select {
		case <-s.days.ctx.Done():
		case <-time.After(time.Since(began)):
		}
	}
}

// Settle waits until sums are made of all days that were asked for.
func (s *Store) Settle(ctx context.Context) error {
	for {
		s.days.mu.Lock()
		running := s.days.running
		s.days.mu.Unlock()
		if !running {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

// makeDay makes the sums of a family of a day, unless they are there. Where one of the windows is written meanwhile it
// makes none: it may be about to change again.
func (s *Store) makeDay(ctx context.Context, d *familyDay) error {
	snapshot, err := s.beginDay(d)
	if snapshot == nil {
		return err
	}
	defer s.endDay()
	made := &sums{family: d.family, of: map[[2]string]*sum{}}
	sel := window.Selection{Kind: d.kind, Site: d.site, Family: d.family, From: d.start, To: d.start + day}
	err = closeIter(scanWindows(ctx, snapshot, sel, made.add), snapshot)
	if err != nil {
		return err
	}
	b := pebbleOf(s).NewBatch()
	defer b.Close()
	if made.worth() {
		prefix := appendDay(nil, d)
		err := made.chunks(d.kind, func(key, value []byte) error {
			return b.Set(append(prefix[:len(prefix):len(prefix)], key...), value, nil)
		})
		if err != nil {
			return err
		}
	}
	return s.keepDay(b, d)
}

// beginDay returns the state that sums are made of, nil if they are there.
func (s *Store) beginDay(d *familyDay) (*pebble.Snapshot, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	have, err := s.summed(&d.summedDay)
	if err != nil || have.has(d.family) {
		return nil, err
	}
	s.days.making, s.days.stale = d.summedDay, false
	return pebbleOf(s).NewSnapshot(), nil
}

func (s *Store) endDay() {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.days.making = summedDay{}
}

// keepDay commits sums, unless the windows have changed since beginDay. What a power loss takes is made again.
func (s *Store) keepDay(b *pebble.Batch, d *familyDay) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.days.stale {
		return nil
	}
	have, err := s.summed(&d.summedDay)
	if err != nil {
		return err
	}
	if err := b.Set(appendSummedKey(nil, &d.summedDay), binary.AppendUvarint(nil, uint64(have|1<<d.family)), nil); err != nil {
		return err
	}
	return b.Commit(pebble.NoSync)
}

// summed returns which families of a day have sums, or need none.
func (s *Store) summed(d *summedDay) (families, error) {
	v, closer, err := pebbleOf(s).Get(appendSummedKey(nil, d))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, damaged(err)
	}
	defer closer.Close()
	set, err := decodeSummed(v)
	return set, damaged(err)
}

// unsum takes away the sums that a window is part of, in the batch that writes it.
func (b *batch) unsum(w *window.Window) error {
	if w.Kind == window.Minute {
		return nil // there are no sums of minutes
	}
	d := summedDay{w.Site, w.Kind, w.Start.Floor(day)}
	if b.store.days.making == d {
		b.store.days.stale = true
	}
	if b.unsummed[d] {
		return nil
	}
	if b.unsummed == nil {
		b.unsummed = map[summedDay]bool{}
	}
	b.unsummed[d] = true
	set, err := b.store.summed(&d)
	if err != nil || set == 0 {
		return err
	}
	for f := range window.NumFamilies {
		if !set.has(f) {
			continue
		}
		if err := b.deleteChunks(&familyDay{d, f}); err != nil {
			return err
		}
	}
	return b.Delete(appendSummedKey(nil, &d), nil)
}

func (b *batch) deleteChunks(d *familyDay) (err error) {
	prefix := appendDay(nil, d)
	it, err := pebbleOf(b.store).NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: append(prefix[:len(prefix):len(prefix)], chunkLast+1)})
	if err != nil {
		return err
	}
	defer func() { err = closeIter(err, it) }()
	for ok := it.First(); ok; ok = it.Next() {
		if err := b.Delete(it.Key(), nil); err != nil {
			return err
		}
	}
	return it.Error()
}

// unsumBefore takes away the sums of the days of a site and kind that begin before a time. The windows of the last of them may
// go on in part.
func unsumBefore(s *Store, b *pebble.Batch, site string, k window.Kind, before event.Time) error {
	if s.days.making.site == site {
		s.days.stale = true
	}
	from, to := ends(append(appendSite([]byte{tableSummed}, site), byte(k)), before)
	it, err := pebbleOf(s).NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return err
	}
	found := it.First()
	if err := closeIter(it.Error(), it); err != nil || !found {
		return err
	}
	if err := b.DeleteRange(from, to, nil); err != nil {
		return err
	}
	for f := range window.NumFamilies {
		if !f.In(k) {
			continue
		}
		from, to := ends(appendFamilyOf(nil, tableDay, site, k, f), before)
		if err := b.DeleteRange(from, to, nil); err != nil {
			return err
		}
	}
	return nil
}
