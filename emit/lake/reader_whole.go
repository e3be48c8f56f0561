package lake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"millrace/engine/event"
	"millrace/internal/blob"
)

// HourStarts returns the starts of the hours of [from, to) that have objects, in order. Unlike Hours
// it keeps no keys.
func (l *Reader) HourStarts(ctx context.Context, from, to event.Time) ([]event.Time, error) {
	var starts []event.Time
	err := l.eachKey(ctx, from, to, func(k Key) {
		if n := len(starts); n == 0 || starts[n-1] != k.Hour {
			starts = append(starts, k.Hour)
		}
	})
	return starts, err
}

// eachKey calls fn for each object of the hours of [from, to), in byte order of the keys.
func (l *Reader) eachKey(ctx context.Context, from, to event.Time, fn func(Key)) error {
	if to <= from {
		return nil
	}
	last := hourOf(to - 1)
	after := hourDir(hourOf(from))
	for info, err := range l.store.List(ctx, "dt=", after[:len(after)-1]) {
		if err != nil {
			return fmt.Errorf("list hours: %w", err)
		}
		if !isObject(info.Key) {
			continue
		}
		key, err := ParseKey(info.Key)
		if err != nil {
			return err
		}
		if key.Hour > last {
			return nil
		}
		fn(key)
	}
	return nil
}

// ErrNotWhole is wrapped by the error of Whole.
var ErrNotWhole = errors.New("the archive does not have all events of the range")

// span is what Whole knows of a log: a partition of the stream, or an imported file.
type span struct {
	from, to int64         // first offsets of its segments that touch the range; from > to: none
	keys     map[int64]Key // the objects that say what a segment is: one of each, by First
	all      []Key         // of the segments in [from, to]
	before   int64         // the greatest First of those before from; -1: none
	behind   int64         // the least First behind to, MaxInt64: none
	past     int64         // the greatest First with an object of an hour before the range; -1: none
}

// Whole proves that the archive has all events of the hours of [from, to) that were ever archived,
// or returns an error that wraps ErrNotWhole: a rule of retention has deleted objects, they were
// lost, or an import was cut short. It lists the whole archive, and fetches the objects of the
// segments that touch the range and lie between those that do. Segments with late events of the
// range have to touch it too: take it as much longer as events may be late.
//
// The proof is Check's: a segment's objects hold as many rows as it has, and each segment begins
// with as many rows before it as the one before it ended with. What the retention of sites has deleted counts as there.
func (l *Reader) Whole(ctx context.Context, from, to event.Time) error {
	from, to = hourOf(from), hourOf(to-1)+event.Hour
	logs := map[Source]*span{}
	progress, err := l.Progress(ctx)
	if err != nil {
		return err
	}
	expired, err := l.Expired(ctx)
	if err != nil {
		return err
	}
	next := map[Source]Progress{}
	for _, p := range progress {
		at := Source{Topic: p.Topic, Partition: p.Partition}
		next[at], logs[at] = p, newSpan()
	}
	if err := l.eachKey(ctx, math.MinInt64, math.MaxInt64, func(k Key) {
		at := Source{Topic: k.Topic, Partition: k.Partition}
		if logs[at] == nil {
			logs[at] = newSpan()
		}
		if !expired.of(k.Topic, k.Partition).object(k) {
			logs[at].find(k, from, to)
		}
	}); err != nil {
		return err
	}
	if err := l.eachKey(ctx, math.MinInt64, math.MaxInt64, func(k Key) {
		s := logs[Source{Topic: k.Topic, Partition: k.Partition}]
		if s != nil && !expired.of(k.Topic, k.Partition).object(k) { // else it has begun meanwhile
			s.take(k)
		}
	}); err != nil {
		return err
	}
	for at, s := range logs {
		p, begun := next[at]
		if !begun && s.from <= s.to {
			return fmt.Errorf("%w: %s-%d has no progress: its import is under way or was cut short", ErrNotWhole, at.Topic, at.Partition)
		}
		if err := l.proveSpan(ctx, s, p, expired.of(at.Topic, at.Partition)); errors.Is(err, blob.ErrNotFound) {
			return fmt.Errorf("%w: %s-%d: %w", ErrNotWhole, at.Topic, at.Partition, err)
		} else if err != nil {
			return fmt.Errorf("%s-%d: %w", at.Topic, at.Partition, err)
		}
	}
	return nil
}

func newSpan() *span {
	return &span{from: math.MaxInt64, to: -1, keys: map[int64]Key{}, before: -1, behind: math.MaxInt64, past: -1}
}

// find notes which segments touch the range.
func (s *span) find(k Key, from, to event.Time) {
	switch {
	case k.Hour < from:
		s.past = max(s.past, k.First)
	case k.Hour < to:
		s.from, s.to = min(s.from, k.First), max(s.to, k.First)
	}
}

// take keeps the objects that prove something. All of find has been called.
func (s *span) take(k Key) {
	first, last := s.from, s.to
	if first > last { // nothing touches the range: the proof is over the seam where it would lie
		first, last = s.past+1, s.past
	}
	switch {
	case k.First < first:
		if k.First > s.before {
			delete(s.keys, s.before)
			s.before = k.First
		}
		if k.First != s.before {
			return
		}
	case k.First > last:
		if k.First < s.behind {
			delete(s.keys, s.behind)
			s.behind = k.First
		}
		if k.First != s.behind {
			return
		}
	default:
		s.all = append(s.all, k)
	}
	s.keys[k.First] = k
}

// proveSpan is Whole for one log.
func (l *Reader) proveSpan(ctx context.Context, s *span, p Progress, gone *goneLog) error {
	rows := map[int64]int64{}
	segments := map[int64]segment{}
	look := func(k Key, count bool) error {
		return openKey(ctx, l, k, func(o *object) error {
			segments[k.First] = o.segment
			if count {
				rows[k.First] += o.numRows()
			}
			return nil
		})
	}
	inside := map[int64]bool{}
	for _, k := range s.all {
		inside[k.First] = true
		if err := look(k, true); err != nil {
			return err
		}
	}
	for first, k := range s.keys {
		if !inside[first] {
			if err := look(k, false); err != nil {
				return err
			}
		}
	}
	before := int64(0) // rows, up to the segment that is next
	for _, first := range slices.Sorted(maps.Keys(segments)) {
		seg := segments[first]
		if first == s.before {
			before = seg.Before
		}
		switch {
		case seg.Before != before && !gone.all(before, seg.Before):
			return fmt.Errorf("%w: the segment that begins at offset %d comes after %d rows, and %d are there or known",
				ErrNotWhole, first, seg.Before, before)
		case inside[first] && rows[first]+gone.of(first) != seg.Rows:
			return fmt.Errorf("%w: the segment that begins at offset %d has %d rows, and its objects hold %d", ErrNotWhole, first, seg.Rows, rows[first])
		}
		before = seg.Before + seg.Rows
	}
	if s.behind == math.MaxInt64 && before != p.Rows && !gone.all(before, p.Rows) {
		return fmt.Errorf("%w: %d rows were archived, and %d are there or known", ErrNotWhole, p.Rows, before)
	}
	return nil
}
