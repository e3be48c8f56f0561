package engine

import (
	"errors"
	"fmt"

	"millrace/engine/delta"
	"millrace/engine/event"
	"millrace/engine/window"
)

// Store is what a Partition needs of the state. Package state has it.
type Store interface {
	// Last returns the offset of the last delta applied, or delta.None.
	Last() int64
	// Meta returns the core's state after that delta.
	Meta() []byte
	// Windows calls fn for every window.
	Windows(fn func(site string, start event.Time, st window.Status) error) error
	// Outbox returns the delta of an applied record that is not known to be in the changelog, or nil.
	Outbox(offset int64) ([]byte, error)
	// Fired returns what an applied record fired and announced.
	Fired(offset int64) (list []delta.Fired, progress int64, err error)
	// Fold adds a window's state to an Agg and returns the state's size in bytes.
	Fold(site string, start event.Time, a *window.Agg) (int, error)
	// Compact replaces a window's state by its fold.
	Compact(site string, start event.Time, a *window.Agg) error
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
	id    int32
	store Store
	core  *Core
	hot   hotWindows
	agg   *window.Agg // for windows that are not hot
}

// maxRecordBytes is the size at which a fired window goes on in another record: far below what brokers take, and so
// large that only a giant site's window has two.
const maxRecordBytes = 4 << 20

// compactFrom is the size in bytes of a window's state from which an early firing that had to read it leaves its fold in
// the store: the next firing then need not fold the same rows again. Smaller ones cost less to fold than to write.
const compactFrom = 4 << 10

// OpenPartition returns a Partition that goes on where the store ends.
func OpenPartition(id int32, s Store, r Rules, d Deriver) (*Partition, error) {
	p := &Partition{id: id, store: s, core: NewCore(r, d), agg: window.NewAgg(s.Limit()), hot: newHotWindows(s.Limit())}
	if err := p.core.Load(s.Meta(), s.Windows); err != nil {
		return nil, fmt.Errorf("load state of partition %d: %w", id, err)
	}
	return p, nil
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
		a := &d.Adds[i]
		if err := p.hot.add(windowID{a.Start, a.Site}, a.Chunk, p.core.fresh(a)); err != nil {
			return err
		}
	}
	return p.emit(offset, d.Fired, d.Progress, out)
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
	return p.emit(offset, fired, event.Time(progress), out)
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
	line := window.Progress{Partition: p.id, Low: progress, Offset: offset}.AppendLines(nil)
	return out.Window(event.Key(p.id), line)
}

// fire writes a window whole, as it is now.
func (p *Partition) fire(offset int64, f *delta.Fired, out Output) error {
	id := windowID{f.Start, f.Site}
	a, err := p.fold(id, f.Final)
	if err != nil {
		return err
	}
	head := window.Window{Site: f.Site, Start: f.Start, Version: offset, Final: f.Final}
	key := event.WindowKey(f.Site, f.Start, 0)
	// A window without points has closed and is deleted: its last firing has long been acknowledged (J8).
	err = a.Records(&head, maxRecordBytes, func(b []byte) error { return out.Window(key, b) })
	if f.Final {
		p.hot.drop(id)
	}
	return err
}

// fold returns the rollups of a window: from memory if it is hot, else from the store.
func (p *Partition) fold(id windowID, final bool) (*window.Agg, error) {
	if a, err := p.hot.get(id); a != nil {
		return a, err
	}
	a := p.agg
	a.Reset(p.store.Limit())
	size, err := p.store.Fold(id.site, id.start, a)
	if err != nil || final || !p.core.isOpen(id) {
		return a, err // it will not fire again soon
	}
	if empty, ok := p.hot.put(id, a); ok {
		p.agg = empty
		return a, nil
	}
	if size >= compactFrom {
		return a, p.store.Compact(id.site, id.start, a)
	}
	return a, nil
}
