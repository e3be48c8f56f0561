package replay

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"millrace/engine/event"
	"millrace/engine/window"
)

// windowID names a window.
type windowID struct {
	site  string
	start event.Time
	shard uint16
}

func (a windowID) compare(b windowID) int {
	return cmp.Or(strings.Compare(a.site, b.site), cmp.Compare(a.start, b.start), cmp.Compare(a.shard, b.shard))
}

// place is an event's place in the log.
type place struct {
	topic     string
	partition int32
	offset    int64
	index     int
	id        uint64 // of an imported event, for duplicates; 0 otherwise
}

func (a place) compare(b place) int {
	return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset), cmp.Compare(a.index, b.index))
}

// counted is a window as it comes about, in the order in which the lake delivers.
type counted struct {
	agg  *window.Agg
	rows int
}

// recompute returns the windows of one hour of the archive in [from, to), sorted.
func (r *run) recompute(ctx context.Context, hour, from, to event.Time) ([]*window.Window, error) {
	all := make(map[windowID]*counted)
	seen := make(map[uint64]struct{})
	err := r.eachRow(ctx, hour, from, to, func(id windowID, row *window.Row, at place) error {
		if isDuplicate(seen, at) {
			r.report.Duplicates++
			return nil
		}
		c := all[id]
		if c == nil {
			c = &counted{agg: window.NewAgg(r.o.Limit)}
			id.site = strings.Clone(id.site)
			all[id] = c
		}
		c.agg.AddRow(row)
		c.rows++
		r.count(row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var windows []*window.Window
	var overflown []windowID
	for id, c := range all {
		w := c.agg.Window(id.site, id.shard, id.start, r.version(id.site), true)
		if hasOther(w) {
			overflown = append(overflown, id)
			c.agg = nil
		} else {
			windows = append(windows, w)
			delete(all, id)
		}
	}
	slices.SortFunc(overflown, windowID.compare)
	for len(overflown) > 0 {
		n, rows := 0, 0
		for n < len(overflown) && (n == 0 || rows+all[overflown[n]].rows <= maxRows) {
			rows += all[overflown[n]].rows
			n++
		}
		ordered, err := r.inOrder(ctx, hour, from, to, overflown[:n])
		if err != nil {
			return nil, err
		}
		windows = append(windows, ordered...)
		overflown = overflown[n:]
	}
	slices.SortFunc(windows, func(a, b *window.Window) int {
		return windowID{a.Site, a.Start, a.Shard}.compare(windowID{b.Site, b.Start, b.Shard})
	})
	return windows, nil
}

// hasOther says whether a family of w is past its budget, so that the order of rows decides what it holds.
func hasOther(w *window.Window) bool {
	return slices.ContainsFunc(w.Points, func(p window.Point) bool {
		return len(p.Family.Dims()) > 0 && p.Dims[0] == window.Other
	})
}

// maxRows is how many rows are put in order at a time: about 60 MB. Each batch of windows past their budget costs
// one more reading of the hour.
const maxRows = 1 << 18

// eachRow calls fn for each event of the hour that is in the range. Row and the strings of id and place are valid
// during fn only.
func (r *run) eachRow(ctx context.Context, hour, from, to event.Time, fn func(windowID, *window.Row, place) error) error {
	var row window.Row
	n := 0
	return r.o.Lake.ReadHour(ctx, hour, r.o.Site, func(e *event.Event, topic string, partition int32, offset int64, index int) error {
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if e.Time.Floor(event.Hour) != hour {
			return fmt.Errorf("the archive gave an event of %s for this hour: %s, partition %d, offset %d, index %d", e.Time, topic, partition, offset, index)
		}
		if e.Time < from || e.Time >= to || r.o.Site != "" && e.Site != r.o.Site {
			return nil
		}
		r.deriver.Row(e, &row)
		id := windowID{site: e.Site, start: e.Time.Floor(event.Minute)}
		if r.o.Shard != nil {
			id.shard = r.o.Shard(e)
		}
		at := place{topic: topic, partition: partition, offset: offset, index: index}
		if strings.HasPrefix(topic, importPrefix) && e.ID != "" {
			at.id = eventHash(e)
		}
		return fn(id, &row, at)
	})
}

// importPrefix begins the topics of imported files. A log that has grown is imported whole again, and its lines keep
// their ids: an event counts once, whatever number of files hold it. Events of the stream are not looked at: the
// stream counts them as they came.
const importPrefix = "import-"

// eventHash stands for an event's site and id. At ten million imported events in one hour two of them are taken for one
// with a probability of three in a million.
func eventHash(e *event.Event) uint64 {
	var d xxhash.Digest
	d.Reset()
	d.WriteString(e.Site)
	d.WriteString("\x00")
	d.WriteString(e.ID)
	return d.Sum64()
}

// isDuplicate notes an imported event in seen, and tells whether it was there.
func isDuplicate(seen map[uint64]struct{}, at place) bool {
	if at.id == 0 {
		return false
	}
	n := len(seen)
	seen[at.id] = struct{}{}
	return len(seen) == n
}

// count keeps the report's numbers of events.
func (r *run) count(row *window.Row) {
	r.report.Events++
	if row.Flags&window.BotRow != 0 {
		r.report.Bots++
		reason := row.Dims[window.Reason]
		if _, ok := r.report.Reasons[reason]; !ok {
			reason = strings.Clone(reason)
			if len(r.report.Reasons) >= maxReasons {
				reason = window.Other
			}
		}
		r.report.Reasons[reason]++
	}
	if r.report.Events%(1<<16) == 0 {
		r.progress()
	}
}

// maxReasons bounds Report.Reasons: collectors may give reasons of their own.
const maxReasons = 100

// rowLog holds the rows of one window: encoded, as chunks of one row each, and where each came from.
type rowLog struct {
	chunks []byte
	refs   []rowRef
}

type rowRef struct {
	place
	from, to int // in chunks
}

// inOrder reads the hour again and returns the windows asked for, their rows added in log order.
func (r *run) inOrder(ctx context.Context, hour, from, to event.Time, ids []windowID) ([]*window.Window, error) {
	logs := make(map[windowID]*rowLog, len(ids))
	for _, id := range ids {
		logs[id] = &rowLog{}
	}
	topics := make(map[string]string)
	var one window.RowWriter
	err := r.eachRow(ctx, hour, from, to, func(id windowID, row *window.Row, at place) error {
		l := logs[id]
		if l == nil {
			return nil
		}
		if _, ok := topics[at.topic]; !ok {
			t := strings.Clone(at.topic)
			topics[t] = t
		}
		at.topic = topics[at.topic]
		one.Reset()
		one.Add(row)
		begin := len(l.chunks)
		l.chunks = one.AppendChunk(l.chunks)
		l.refs = append(l.refs, rowRef{at, begin, len(l.chunks)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	var windows []*window.Window
	seen := make(map[uint64]struct{})
	for _, id := range ids {
		l := logs[id]
		slices.SortFunc(l.refs, func(a, b rowRef) int { return a.compare(b.place) })
		agg := window.NewAgg(r.o.Limit)
		clear(seen)
		for _, ref := range l.refs {
			if isDuplicate(seen, ref.place) {
				continue
			}
			if err := agg.Add(l.chunks[ref.from:ref.to]); err != nil {
				return nil, fmt.Errorf("window %s %s: %w", id.site, id.start, err)
			}
		}
		windows = append(windows, agg.Window(id.site, id.shard, id.start, r.version(id.site), true))
		delete(logs, id)
	}
	return windows, nil
}
