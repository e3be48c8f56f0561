package lake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"path"
	"slices"

	"millrace/engine/event"
)

// ErrLost is wrapped by the error of Lost.
var ErrLost = errors.New("the archive has lost events")

// Lost returns an error that wraps ErrLost if objects of the hours of [from, to) are missing that
// were archived once, and names the first that is. It opens the objects that touch the range, and
// misses what a segment has lost that touches it no more: take it as much longer as events may be late.
//
// Unlike Whole it passes over what has another explanation than a loss: segments from the first on,
// which a rule of retention deletes, perhaps all of a log; an import without progress, which is
// under way or was cut short; segments past the progress, whose upload is under way; a partition
// whose progress was deleted and began again.
func (l *Reader) Lost(ctx context.Context, from, to event.Time) error {
	from, to = hourOf(from), hourOf(to-1)+event.Hour
	progress, err := l.Progress(ctx) // first: objects that are listed later may be newer, not older
	if err != nil {
		return err
	}
	expired, err := l.Expired(ctx)
	if err != nil {
		return err
	}
	logs := map[Source]*span{}
	next := map[Source]Progress{}
	for _, p := range progress {
		at := Source{Topic: p.Topic, Partition: p.Partition}
		next[at], logs[at] = p, newSpan()
	}
	each := func(fn func(*span, Key)) error {
		return l.eachKey(ctx, math.MinInt64, math.MaxInt64, func(k Key) {
			at := Source{Topic: k.Topic, Partition: k.Partition}
			if s := logs[at]; s != nil && k.First < next[at].NextOffset && !expired.of(k.Topic, k.Partition).object(k) {
				fn(s, k)
			}
		})
	}
	err = errors.Join(
		each(func(s *span, k Key) { s.find(k, from, to) }),
		each(func(s *span, k Key) { s.take(k) }),
	)
	if err != nil {
		return err
	}
	began := map[string]bool{} // topics of which a partition has its first segment: nothing has expired
	var empty []Progress
	for at, s := range logs {
		p := next[at]
		segments, rows, err := l.spanSegments(ctx, s)
		if err == nil {
			err = segmentsLost(segments, rows, s, p, expired.of(at.Topic, at.Partition))
		}
		if err != nil {
			return fmt.Errorf("%s-%d: %w", at.Topic, at.Partition, err)
		}
		for _, seg := range segments {
			began[at.Topic] = began[at.Topic] || seg.Before == 0
		}
		if len(segments) == 0 && p.Rows > 0 && !expired.of(at.Topic, at.Partition).all(0, p.Rows) {
			empty = append(empty, p)
		}
	}
	for _, p := range empty {
		if began[p.Topic] {
			return fmt.Errorf("%s-%d: %w: of its %d rows there is no object", p.Topic, p.Partition, ErrLost, p.Rows)
		}
	}
	return nil
}

// segmentsLost is Lost for one log.
func segmentsLost(segments map[int64]segment, rows map[int64]int64, s *span, p Progress, gone *goneLog) error {
	before := int64(-1) // rows, up to the segment that is next; -1: nothing is known
	end := int64(0)     // offset behind the last segment
	for _, first := range slices.Sorted(maps.Keys(segments)) {
		seg := segments[first]
		if before >= 0 && seg.Before > before && !gone.all(before, seg.Before) {
			return fmt.Errorf("%w: of %d rows between the offsets %d and %d there is no object", ErrLost, seg.Before-before, end, first)
		}
		if n, inside := rows[first]; inside && n+gone.of(first) < seg.Rows {
			name := path.Base(Key{Topic: p.Topic, Partition: p.Partition, First: first}.String())
			return fmt.Errorf("%w: the objects %s of all hours had %d rows, and those that are there have %d", ErrLost, name, seg.Rows, n)
		}
		if seg.Before == 0 { // the first one, also after the progress was deleted
			before = 0
		}
		before, end = max(before, seg.Before+seg.Rows), seg.Next
	}
	if s.behind == math.MaxInt64 && before >= 0 && before < p.Rows && !gone.all(before, p.Rows) {
		return fmt.Errorf("%w: of %d rows between the offsets %d and %d there is no object", ErrLost, p.Rows-before, end, p.NextOffset)
	}
	return nil
}

// spanSegments opens the objects of a span. It returns its segments by their first offset, and the
// rows of those that touch the range.
func (l *Reader) spanSegments(ctx context.Context, s *span) (map[int64]segment, map[int64]int64, error) {
	segments, rows := map[int64]segment{}, map[int64]int64{}
	for _, k := range s.all {
		err := openKey(ctx, l, k, func(o *object) error {
			segments[k.First] = o.segment
			rows[k.First] += o.numRows()
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	for first, k := range s.keys {
		if _, inside := segments[first]; inside {
			continue
		}
		err := openKey(ctx, l, k, func(o *object) error {
			segments[first] = o.segment
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return segments, rows, nil
}
