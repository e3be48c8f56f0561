package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"millrace/engine/event"
	"millrace/internal/blob"
)

// ErrIncomplete is wrapped by the error of CompleteUntil while there is no such time.
var ErrIncomplete = errors.New("the archive has no progress yet")

// Source is where an event was in the log, or in an imported file: there Topic starts with
// ImportPrefix and Offset is the line.
type Source struct {
	Topic     string
	Partition int32
	Offset    int64
	Index     int32 // within the record, from 0
}

func (s Source) String() string {
	return fmt.Sprintf("%s/%d@%d[%d]", s.Topic, s.Partition, s.Offset, s.Index)
}

// Reader reads what archivers and importers wrote, but for what is erased. Any number of goroutines may use it, beside
// archivers at work.
type Reader struct {
	store  blob.Store
	erased erasures
	whole  bool // rows that are erased are given too: for who erases them
}

// NewReader returns a reader of the lake in a store.
func NewReader(store blob.Store) *Reader { return &Reader{store: store} }

// Hour is an hour of event time that has objects.
type Hour struct {
	Start event.Time
	Keys  []Key // in order of topic, partition and log
	Bytes int64 // size of the objects
}

// Hours returns the hours of [from, to) that have objects, in order; an hour that lies in the range
// only in part is among them.
func (l *Reader) Hours(ctx context.Context, from, to event.Time) ([]Hour, error) {
	if to <= from {
		return nil, nil
	}
	// The name of a directory without its slash sorts before all that is in it.
	after := strings.TrimSuffix(hourDir(hourOf(from)), "/")
	last := hourOf(to - 1)
	var hours []Hour
	for info, err := range l.store.List(ctx, "dt=", after) {
		if err != nil {
			return nil, fmt.Errorf("list hours: %w", err)
		}
		if !isObject(info.Key) {
			continue
		}
		key, err := ParseKey(info.Key)
		if err != nil {
			return nil, err
		}
		if key.Hour > last {
			break
		}
		if len(hours) == 0 || hours[len(hours)-1].Start != key.Hour {
			hours = append(hours, Hour{Start: key.Hour})
		}
		h := &hours[len(hours)-1]
		h.Keys = append(h.Keys, key)
		h.Bytes += info.Size
	}
	for i := range hours {
		slices.SortFunc(hours[i].Keys, compareKeys)
	}
	return hours, nil
}

func compareKeys(x, y Key) int {
	return cmp.Or(
		cmp.Compare(x.Topic, y.Topic),
		cmp.Compare(x.Partition, y.Partition),
		cmp.Compare(x.First, y.First),
		cmp.Compare(x.Hour, y.Hour))
}

// ReadHour calls fn for each event of the hour of event time that starts at hour, of one site, or
// of all if site is "". The events come sorted by topic, partition, offset and index, each place
// once, so that a replay has the order of the log. It stops at fn's first error and
// returns it.
//
// An event may be kept; its Props must not be changed, other events may share them. Memory: the
// rows of one segment, about 400 bytes each and their strings, never the whole hour.
func (l *Reader) ReadHour(ctx context.Context, hour event.Time, site string, fn func(*event.Event, Source) error) error {
	hours, err := l.Hours(ctx, hour, hour+event.Hour)
	if err != nil {
		return err
	}
	for _, h := range hours {
		if h.Start != hour {
			return fmt.Errorf("read hour %s: not the start of an hour", hour)
		}
		for keys := h.Keys; len(keys) > 0; {
			n := slices.IndexFunc(keys, func(k Key) bool { return k.Topic != keys[0].Topic || k.Partition != keys[0].Partition })
			if n < 0 {
				n = len(keys)
			}
			if err := l.readPartition(ctx, keys[:n], site, fn); err != nil {
				return err
			}
			keys = keys[n:]
		}
	}
	return nil
}

// readPartition reads the objects of one partition and hour, in order of the log. Segments do not
// overlap, unless progress has been deleted: then rows wait until no later object can hold an
// earlier one, and those that come twice are dropped.
func (l *Reader) readPartition(ctx context.Context, keys []Key, site string, fn func(*event.Event, Source) error) error {
	var waiting []*stored
	src := Source{Topic: keys[0].Topic, Partition: keys[0].Partition, Offset: -1}
	for i, key := range keys {
		rows, err := l.readObject(ctx, key, site)
		if err != nil {
			return err
		}
		for i := range rows {
			waiting = append(waiting, &rows[i])
		}
		slices.SortStableFunc(waiting, func(x, y *stored) int {
			return cmp.Or(cmp.Compare(x.offset, y.offset), cmp.Compare(x.index, y.index))
		})
		end := int64(math.MaxInt64)
		if i+1 < len(keys) {
			end = keys[i+1].First
		}
		n := 0
		for ; n < len(waiting) && waiting[n].offset < end; n++ {
			r := waiting[n]
			if r.offset == src.Offset && r.index == src.Index {
				continue
			}
			src.Offset, src.Index = r.offset, r.index
			if err := fn(&r.Event, src); err != nil {
				return err
			}
		}
		waiting = append(waiting[:0], waiting[n:]...)
	}
	return nil
}

func (l *Reader) readObject(ctx context.Context, key Key, site string) ([]stored, error) {
	var rows []stored
	err := openKey(ctx, l, key, func(o *object) (err error) {
		rows, err = o.rows(site)
		return err
	})
	return rows, err
}

// openKey fetches an object whole, as small as they are: one request where reading by range would take
// dozens. It is no method of Reader: every package that sees one would compile the generic types of an
// open file once more.
func openKey(ctx context.Context, l *Reader, key Key, f func(*object) error) error {
	hidden, err := l.hidden(ctx)
	if err != nil {
		return err
	}
	body, err := l.store.Get(ctx, key.String())
	if err != nil {
		return err
	}
	return protect(key.String(), func() error {
		o, err := openObject(body)
		if err != nil {
			return err
		}
		o.hidden = hidden
		return f(o)
	})
}

// hidden returns whose rows are not given.
func (l *Reader) hidden(ctx context.Context) (erased, error) {
	if l.whole {
		return nil, nil
	}
	hidden, _, err := l.erased.of(ctx, l.store, keepErasures)
	return hidden, err
}

// Progress returns how far each partition has come, in order of topic and partition; imports are
// among them.
func (l *Reader) Progress(ctx context.Context) ([]Progress, error) {
	all, err := readProgress(ctx, l.store, "")
	if err != nil {
		return nil, fmt.Errorf("read progress: %w", err)
	}
	slices.SortFunc(all, func(x, y Progress) int {
		return cmp.Or(cmp.Compare(x.Topic, y.Topic), cmp.Compare(x.Partition, y.Partition))
	})
	return all, nil
}

// ProgressOf returns how far the partitions of one topic have come that have begun, by partition. A
// damaged progress object is an error that wraps ErrProgress.
func (l *Reader) ProgressOf(ctx context.Context, topic string) (map[int32]Progress, error) {
	all, err := readProgress(ctx, l.store, topic+"-")
	if err != nil {
		return nil, fmt.Errorf("read progress: %w", err)
	}
	of := map[int32]Progress{}
	for _, p := range all {
		if p.Topic == topic {
			of[p.Partition] = p
		}
	}
	return of, nil
}

// Began returns the log's time from which on the lake has what was written to each partition of a
// topic; 0 if it has all from the beginning.
func (l *Reader) Began(ctx context.Context, topic string) (event.Time, error) {
	of, err := l.ProgressOf(ctx, topic)
	if err != nil {
		return 0, err
	}
	var began event.Time
	for _, p := range of {
		began = max(began, p.Began)
	}
	return began, nil
}

// CompleteUntil returns the event time before which the lake has everything that the collectors of
// a topic have taken in: the minimum over the partitions. Until each of them has progress the error
// wraps ErrIncomplete.
//
// What comes late, with an event time before this, is archived as well, but later.
func (l *Reader) CompleteUntil(ctx context.Context, topic string) (event.Time, error) {
	all, err := l.Progress(ctx)
	if err != nil {
		return 0, err
	}
	var have, want int32
	until := event.Time(math.MaxInt64)
	for _, p := range all {
		if p.Topic == topic {
			have++
			want = max(want, p.Partitions)
			until = min(until, p.Low)
		}
	}
	if have == 0 || have < want || until == 0 {
		return 0, fmt.Errorf("topic %s: %w: %d of %d partitions have begun", topic, ErrIncomplete, have, want)
	}
	return until, nil
}
