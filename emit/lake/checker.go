package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"millrace/engine/event"
)

// ErrCheck is wrapped by the error of a Report with findings.
var ErrCheck = errors.New("the lake is not sound")

// Report is what Check found.
type Report struct {
	Objects int
	Rows    int64
	// Unfinished are objects of segments whose upload was under way, or was cut short and will be
	// repeated.
	Unfinished int
	// Expired are rows that were archived once and whose objects are gone: deleted by the retention of sites, or, if they lie before the first
	// segment that is there, by a rule of retention of the store.
	Expired int64
	// Erased are rows that were archived once and taken out of objects that stay, by forget or the retention of their sites.
	Erased int64
	// Findings are what is wrong, in order of the log; at most maxFindings of them.
	Findings []string
	// Wrong counts all of them.
	Wrong int
}

const maxFindings = 100

// Err returns nil if nothing is wrong, else an error that wraps ErrCheck and holds the first
// finding.
func (r *Report) Err() error {
	if r.Wrong == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d findings, the first: %s", ErrCheck, r.Wrong, r.Findings[0])
}

func (r *Report) find(format string, args ...any) {
	r.Wrong++
	if len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, fmt.Sprintf(format, args...))
	}
}

// Check proves from the lake alone that no archived event is missing and none is there twice. It
// reads every object, but only the columns that say where a row comes from, and returns an error
// only if it could not.
//
// The proof: each object says which segment of the log it belongs to, how many rows that segment
// has, and how many rows the partition had before it. So the rows of a segment's objects must add
// up to its own; each record's events must be numbered from 0 without a gap; and a segment must
// begin with as many rows before it as the one before it ended with, up to the progress.
// A record of which nothing at all is there can then only be one without events. A row that was erased counts as there:
// its object says which one it was. So do those of objects that retention has deleted (Expired).
func (l *Reader) Check(ctx context.Context) (Report, error) {
	var r Report
	// Progress first: what is listed after it may be newer, but not older.
	all, err := l.Progress(ctx)
	if err != nil {
		return r, err
	}
	hours, err := l.Hours(ctx, math.MinInt64, math.MaxInt64)
	if err != nil {
		return r, err
	}
	expired, err := l.Expired(ctx) // behind the listing: what has been deleted since is noted
	if err != nil {
		return r, err
	}
	byPartition := map[Source][]Key{}
	for _, p := range all {
		byPartition[Source{Topic: p.Topic, Partition: p.Partition}] = nil
	}
	for _, h := range hours {
		for _, k := range h.Keys {
			at := Source{Topic: k.Topic, Partition: k.Partition}
			if !expired.of(k.Topic, k.Partition).object(k) {
				byPartition[at] = append(byPartition[at], k)
			}
		}
	}
	order := make([]Source, 0, len(byPartition))
	for at := range byPartition {
		order = append(order, at)
	}
	slices.SortFunc(order, func(x, y Source) int {
		return cmp.Or(cmp.Compare(x.Topic, y.Topic), cmp.Compare(x.Partition, y.Partition))
	})
	for _, at := range order {
		var progress *Progress
		for i := range all {
			if all[i].Topic == at.Topic && all[i].Partition == at.Partition {
				progress = &all[i]
			}
		}
		if err := l.checkPartition(ctx, &r, byPartition[at], progress, expired.of(at.Topic, at.Partition)); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (l *Reader) checkPartition(ctx context.Context, r *Report, keys []Key, progress *Progress, gone *goneLog) error {
	slices.SortFunc(keys, compareKeys)
	r.Objects += len(keys)
	rows, next := int64(-1), int64(0) // of the partition so far; -1 before the first segment
	for len(keys) > 0 {
		first := keys[0].First
		n := slices.IndexFunc(keys, func(k Key) bool { return k.First != first })
		if n < 0 {
			n = len(keys)
		}
		if progress == nil || first >= progress.NextOffset {
			r.Unfinished += n
			keys = keys[n:]
			continue
		}
		seg, err := l.checkSegment(ctx, r, keys[:n], gone)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%s-%d: segment [%d, %d)", keys[0].Topic, keys[0].Partition, seg.First, seg.Next)
		switch {
		case rows < 0:
			r.Expired += seg.Before
		case seg.First < next:
			r.find("%s overlaps the one before, which ends at %d", name, next)
		case seg.Before > rows && gone.all(rows, seg.Before):
			r.Expired += seg.Before - rows
		case seg.Before != rows:
			r.find("%s begins after %d rows, the one before ends with %d", name, seg.Before, rows)
		}
		rows, next = seg.Before+seg.Rows, seg.Next
		keys = keys[n:]
	}
	switch {
	case progress == nil, rows < 0 && progress.Rows == 0:
	case rows < 0:
		r.Expired += progress.Rows
	case progress.Rows > rows && gone.all(rows, progress.Rows):
		r.Expired += progress.Rows - rows
	case progress.Rows != rows || progress.NextOffset < next:
		r.find("%s-%d: progress has %d rows up to offset %d, the last segment ends with %d at %d",
			progress.Topic, progress.Partition, progress.Rows, progress.NextOffset, rows, next)
	}
	return nil
}

// place is where a row was in its partition.
type place struct {
	offset int64
	index  int32
}

// checkSegment checks the objects of one segment and returns their segment.
func (l *Reader) checkSegment(ctx context.Context, r *Report, keys []Key, gone *goneLog) (segment, error) {
	var seg segment
	var places []place
	erased := int64(0)
	for i, key := range keys {
		err := openKey(ctx, l, key, func(o *object) error {
			if i == 0 {
				seg = o.segment
			}
			if o.segment != seg || seg.First != key.First {
				r.find("%s: it is of segment %+v, others of the same name of %+v", key, o.segment, seg)
			}
			more, err := o.places(key, r)
			places = append(places, more...)
			erased += int64(len(o.erased))
			return err
		})
		if errors.Is(err, ErrCorrupt) {
			r.find("%v", err)
			continue
		}
		if err != nil {
			return seg, err
		}
	}
	r.Rows += int64(len(places)) - erased
	r.Erased += erased
	name := fmt.Sprintf("%s-%d: segment [%d, %d)", keys[0].Topic, keys[0].Partition, seg.First, seg.Next)
	lacking := gone.of(seg.First)
	r.Expired += lacking
	if int64(len(places))+lacking != seg.Rows {
		r.find("%s has %d rows, its objects hold %d, and %d are expired", name, seg.Rows, len(places), lacking)
	}
	slices.SortFunc(places, comparePlaces)
	prev := place{offset: -1}
	for _, p := range places {
		want := int32(0)
		if p.offset == prev.offset {
			want = prev.index + 1
		}
		switch {
		case p == prev:
			r.find("%s: offset %d index %d is there twice", name, p.offset, p.index)
		case p.index != want && lacking == 0:
			r.find("%s: offset %d has index %d, want %d", name, p.offset, p.index, want)
		case p.offset < seg.First || p.offset >= seg.Next:
			r.find("%s holds offset %d", name, p.offset)
		}
		prev = p
	}
	return seg, nil
}

// places reads where the rows of an object were, those that are erased too, and checks that they belong into this object.
func (o *object) places(key Key, r *Report) ([]place, error) {
	all := slices.Clone(o.erased)
	for _, rg := range o.file.RowGroups() {
		n := rg.NumRows()
		rows := make([]place, n)
		misplaced := 0
		err := errors.Join(
			readInts(o.chunk(rg, "source_offset"), 0, n, func(i int, v int64) { rows[i].offset = v }),
			readInts(o.chunk(rg, "source_index"), 0, n, func(i int, v int64) { rows[i].index = int32(v) }),
			readInts(o.chunk(rg, "source_partition"), 0, n, func(_ int, v int64) {
				if v != int64(key.Partition) {
					misplaced++
				}
			}),
			readStrings(o.chunk(rg, "source_topic"), 0, n, func(_ int, s string) {
				if s != key.Topic {
					misplaced++
				}
			}),
			readInts(o.chunk(rg, "ts"), 0, n, func(_ int, v int64) {
				if hourOf(event.Time(v)) != key.Hour {
					misplaced++
				}
			}))
		if err != nil {
			return nil, err
		}
		if misplaced > 0 {
			r.find("%s holds rows that belong elsewhere (%d)", key, misplaced)
		}
		all = append(all, rows...)
	}
	return all, nil
}
