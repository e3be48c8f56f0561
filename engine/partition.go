package engine

import (
	"errors"
	"fmt"
	"strings"

	"millrace/engine/delta"
	"millrace/engine/event"
	"millrace/engine/window"
)

// Store is what a Partition needs of the state. Package state has it.
type Store interface {
	State
	// Last returns the offset of the last delta applied, or delta.None.
	Last() int64
	// Outbox returns the delta of an applied record that is not known to be in the changelog, or nil.
	Outbox(offset int64) ([]byte, error)
	// Fired returns what an applied record fired and announced.
	Fired(offset int64) (list []delta.Fired, progress int64, err error)
	// Fold adds the state of a window of Kind Minute or Visits to an Agg and returns the state's size in bytes.
	Fold(k window.Kind, site string, start event.Time, a *window.Agg) (int, error)
	// Compact replaces a window's state by its fold, which a holds, unless that has more than most bytes.
	Compact(k window.Kind, site string, start event.Time, a *window.Agg, most int) error
	// Limit returns the cardinality budget.
	Limit() int
}

// Output takes what a record emits. The record is finished when all of it has been acknowledged. It may keep
// the slices.
type Output interface {
	// Delta applies a delta to the store, unless it has been applied, and writes it to the changelog.
	Delta(b []byte) error
	// Window writes a record of millrace.windows into the partition of the log's number.
	Window(key string, value []byte) error
	// Dead writes a letter about the record.
	Dead(reason error) error
}

// ErrBehind says that the changelog has lost records: the state ends before the committed offset.
var ErrBehind = errors.New("the changelog does not reach the committed offset; its records have expired or the topic was made anew")

// Partition drives the core of one partition and its store through the records of the log.
type Partition struct {
	id     int32
	store  Store
	core   *Core
	bounds Bounds
	hot    hotWindows
	hours  hotHours
	agg    *window.Agg // for windows that are not hot
	minute *window.Agg // for the minutes of an hour that is not hot

	partitions int // of the topic; 0 if no site is spread over several
	shards     map[string]uint16
}

// OpenPartition returns a Partition that goes on where the store ends. Partitions is the number of partitions of the
// topic: a site that is spread over several has a shard in each.
func OpenPartition(id int32, partitions int, s Store, r Rules, d Deriver) (*Partition, error) {
	limit := s.Limit()
	p := &Partition{
		id: id, store: s, core: NewCore(r, d), agg: window.NewAgg(limit), minute: window.NewAgg(limit),
		partitions: partitions, shards: map[string]uint16{},
	}
	p.Bound(Bounds{})
	if err := p.core.Load(s); err != nil {
		return nil, fmt.Errorf("load state of partition %d: %w", id, err)
	}
	return p, nil
}

// Bound sets bounds other than the defaults. REQUIRES: Process has not been called.
func (p *Partition) Bound(b Bounds) {
	p.bounds = b.withDefaults()
	p.hot, p.hours = newHotWindows(p.store.Limit(), p.bounds), newHotHours(p.store.Limit(), p.bounds)
}

// Core returns the partition's core, for its counters.
func (p *Partition) Core() *Core { return p.core }

// CheckCommitted returns ErrBehind if the state, recovered, does not reach the group's committed offset.
func (p *Partition) CheckCommitted(next int64) error {
	if last := p.store.Last(); last < next-1 {
		return fmt.Errorf("partition %d: state ends at offset %d, committed is %d: %w", p.id, last, next, ErrBehind)
	}
	return nil
}

// Process takes one record of the log: for the first time, or again after a crash or a change of owner.
func (p *Partition) Process(offset int64, value []byte, out Output) error {
	if offset <= p.store.Last() {
		return p.again(offset, value, out)
	}
	d, dead := p.core.Step(p.id, offset, value)
	if err := out.Delta(d.Append(make([]byte, 0, len(value)/2+128))); err != nil {
		return err
	}
	if dead != nil {
		if err := out.Dead(dead); err != nil {
			return err
		}
	}
	for i := range d.Adds {
		if err := p.warm(&d.Adds[i]); err != nil {
			return err
		}
	}
	if err := p.emit(offset, d.Fired, d.Progress, out); err != nil {
		return err
	}
	if d.Progress != 0 {
		p.hot.dropVisits(p.core.isOpen)
	}
	return p.settle(d.Fired, true)
}

// warm takes a chunk into the windows that are hot.
func (p *Partition) warm(a *delta.Add) error {
	id := windowID{a.Kind, a.Start, a.Site}
	if a.Kind == window.Minute && !p.core.inOrder(hourOf(id)) {
		p.hours.drop(hourOf(id)) // it may hold the minute without this
	}
	return p.hot.add(id, a.Chunk, p.core.fresh(a))
}

// again emits what a record emitted when it was applied: its delta verbatim, if the changelog may not have it (J2),
// its windows as they are now (J11), and its letter.
func (p *Partition) again(offset int64, value []byte, out Output) error {
	b, err := p.store.Outbox(offset)
	if err != nil {
		return err
	}
	if b != nil {
		if err := out.Delta(b); err != nil {
			return err
		}
	}
	var dec event.Decoder
	var env event.Envelope
	if dead := dec.Decode(value, &env); dead != nil {
		if err := out.Dead(dead); err != nil {
			return err
		}
	}
	fired, progress, err := p.store.Fired(offset)
	if err != nil {
		return err
	}
	if err := p.emit(offset, fired, event.Time(progress), out); err != nil {
		return err
	}
	return p.settle(fired, false)
}

// emit writes the windows that a record fired, and after them its progress.
func (p *Partition) emit(offset int64, fired []delta.Fired, progress event.Time, out Output) error {
	for i := range fired {
		if err := p.fire(offset, &fired[i], out); err != nil {
			return err
		}
	}
	if progress == 0 {
		return nil
	}
	line := window.Progress{Partition: p.id, Low: progress, Hours: hoursFired(progress), Offset: offset}.AppendLines(nil)
	return out.Window(event.Key(p.id), line)
}

// fire writes a window whole, as it is now.
func (p *Partition) fire(offset int64, f *delta.Fired, out Output) error {
	id := windowID{f.Kind, f.Start, f.Site}
	a, err := p.content(id, f.Final)
	if err != nil {
		return err
	}
	head := window.Window{Kind: f.Kind, Site: f.Site, Shard: p.shard(f.Site), Start: f.Start, Version: offset, Final: f.Final}
	key := window.RecordKey(f.Kind, f.Site, f.Start, head.Shard)
	// A window without points has closed and is deleted: its last firing has long been acknowledged (J8).
	if err := a.Records(&head, p.bounds.Record, func(b []byte) error { return out.Window(key, b) }); err != nil {
		return err
	}
	p.cool(id, f.Final, a)
	return nil
}

// settle is called when windows have fired. If the store is at the record that fired them, the fold of those that are
// final and in memory takes the place of their chunks there, where that is much shorter: they are needed for their hour and for
// late events only, and most chunks then never reach the disk. Minutes leave memory with that.
func (p *Partition) settle(fired []delta.Fired, current bool) error {
	for i := range fired {
		f := &fired[i]
		id := windowID{f.Kind, f.Start, f.Site}
		if f.Kind == window.Hour || !f.Final {
			continue
		}
		a, err := p.hot.get(id)
		if a == nil || err != nil {
			continue
		}
		if current {
			if err := p.compact(id, a); err != nil {
				return err
			}
		}
		if f.Kind == window.Minute {
			p.hot.drop(id)
		}
	}
	return nil
}

// compact replaces the chunks of a window that the last record fired as final by their fold.
func (p *Partition) compact(id windowID, a *window.Agg) error {
	n := p.hot.toCompact(id)
	if n == 0 {
		return nil
	}
	a.Fired(p.store.Last(), true)
	return p.store.Compact(id.kind, id.site, id.start, a, n/2)
}

// shard returns the number of the site's part that lies in this partition.
func (p *Partition) shard(site string) uint16 {
	if p.partitions == 0 {
		return 0
	}
	n, ok := p.shards[site]
	if !ok {
		n = event.ShardOf(site, p.id, p.partitions)
		p.shards[strings.Clone(site)] = n
	}
	return n
}

// content returns the rollups of a window.
func (p *Partition) content(id windowID, final bool) (*window.Agg, error) {
	if id.kind == window.Hour {
		return p.hour(id)
	}
	return p.fold(id, final)
}

// keptHour is up to how many bytes the Agg is kept in which an hour was folded. That of an attacked site may have a hundred
// times as much.
const keptHour = 4 << 20

// cool is called when a window has fired: what will not fire again soon leaves memory.
func (p *Partition) cool(id windowID, final bool, a *window.Agg) {
	switch {
	case id.kind == window.Hour:
		p.hours.drop(id)
		if a == p.agg && a.Bytes() > keptHour {
			p.agg = window.NewAgg(p.store.Limit())
		}
	case id.kind == window.Minute && final:
		// The core may have forgotten an hour that fires right after this minute.
		if hour := hourOf(id); (p.core.inOrder(hour) || p.hours.get(hour) != nil) && !p.hours.add(hour, a) {
			p.core.disorder(hour)
		}
	}
}

// hour returns the rollups of an hour: from memory, else folded from its minutes.
func (p *Partition) hour(id windowID) (*window.Agg, error) {
	if a := p.hours.get(id); a != nil {
		return a, nil
	}
	p.agg.Reset(p.store.Limit())
	for start := id.start; start < id.start+event.Hour; start += event.Minute {
		p.minute.Reset(p.store.Limit())
		size, err := p.store.Fold(window.Minute, id.site, start, p.minute)
		if err != nil {
			return nil, err
		}
		if size > 0 {
			p.agg.Merge(p.minute)
		}
	}
	return p.agg, nil
}

// fold returns the rollups of a window of a minute or of visits: from memory if it is hot, else from the store.
func (p *Partition) fold(id windowID, final bool) (*window.Agg, error) {
	if a, err := p.hot.get(id); a != nil {
		return a, err
	}
	a := p.agg
	a.Reset(p.store.Limit())
	size, err := p.store.Fold(id.kind, id.site, id.start, a)
	if err != nil || id.kind == window.Minute && (final || !p.core.isOpen(id)) {
		return a, err // it will not fire again soon
	}
	if p.core.isOpen(id) {
		if empty, ok := p.hot.put(id, a, size); ok {
			p.agg = empty
			return a, nil
		}
	}
	if size >= p.bounds.Compact {
		return a, p.store.Compact(id.kind, id.site, id.start, a, size)
	}
	return a, nil
}
