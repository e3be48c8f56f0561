package spool

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/engine/event"
)

var (
	// ErrFull is returned by Append when the entries would take the spool over its bound.
	ErrFull = errors.New("the spool is full")
	// ErrDamaged is wrapped by the error of Open when a file has lost what was synced.
	ErrDamaged = errors.New("the spool is damaged")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("the spool is closed")
)

// None is the Entry.After of events that are certainly not in the log.
const None int64 = math.MaxInt64

// Start is the Entry.After of events that may be anywhere in the log.
const Start int64 = -1

// Options of a Log.
type Options struct {
	// Dir is the folder, made if it is missing. No other Log may be open on it.
	Dir string
	// MaxBytes bounds the segments, at least 64 KiB.
	MaxBytes int64
	// SegmentBytes is the size from which a segment is closed. Default: 8 MiB, and at most an eighth
	// of MaxBytes. A segment is deleted whole, so that smaller ones free a full spool earlier.
	SegmentBytes int64
	// FS is the file system. Default: the machine's.
	FS vfs.FS
}

// LeastBytes is the least of Options.MaxBytes.
const LeastBytes = 64 << 10

// Entry is some events of one partition.
type Entry struct {
	Partition int32
	// After is the offset behind which copies of the events may be in the log: None, Start, or one.
	After int64
	// From is the earliest receive time of the events, N their number.
	From event.Time
	N    int
	// Events is their JSON, joined by commas.
	Events []byte

	number uint64 // of its frame
	end    int64  // where that ends in its segment
}

// Stats is what the spool holds.
type Stats struct {
	Entries, Events int
	Bytes           int64      // of segments
	Oldest          event.Time // when the oldest entry was received, or one of 16 before it; 0 if there is none
	Err             error      // of the last write, nil if it succeeded
}

// Log is a spool.
type Log struct {
	opts Options
	fs   vfs.FS
	lock io.Closer

	writer  sync.WaitGroup
	drainer drainer

	mu       sync.Mutex // guards what follows
	work     *sync.Cond // there is a group to write, or the end
	room     *sync.Cond // a group has been taken
	closed   bool
	segments []*segment // oldest first; the last may be the current one
	current  *segment   // that is written to, nil for none
	next     uint64     // number of the next frame that is encoded
	synced   uint64     // number behind the last frame that is synced
	bytes    int64      // of segments
	writing  int64      // bytes of the group that is being written, 0 for none
	buf      []byte     // the frames of group
	spare    []byte
	group    *group
	entries  int // that are synced and not done
	events   int
	err      error
}

// group is what is written and synced together.
type group struct {
	first   uint64
	entries []Entry // without Events
	done    chan struct{}
	err     error
}

// mostWaiting is how many bytes of frames wait for the write before them until Append waits.
const mostWaiting = 4 << 20

// Open opens a spool, and reads what it holds.
func Open(o Options) (*Log, error) {
	if o.MaxBytes < LeastBytes {
		return nil, fmt.Errorf("spool: %d bytes are less than the least bound of %d", o.MaxBytes, LeastBytes)
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = min(8<<20, o.MaxBytes/8)
	}
	l := &Log{opts: o, fs: o.FS}
	l.work, l.room = sync.NewCond(&l.mu), sync.NewCond(&l.mu)
	err := o.FS.MkdirAll(o.Dir, 0o700)
	if err == nil {
		err = syncDir(o.FS, o.FS.PathDir(o.Dir))
	}
	if err != nil {
		return nil, fmt.Errorf("make spool folder: %w", err)
	}
	if l.lock, err = o.FS.Lock(o.FS.PathJoin(o.Dir, "lock")); err != nil {
		return nil, fmt.Errorf("lock spool folder %s: %w: only one collector may have it", o.Dir, err)
	}
	if err := l.drainer.open(o.FS, o.Dir); err != nil {
		return nil, errors.Join(fmt.Errorf("spool %s: %w", o.Dir, err), l.lock.Close())
	}
	if err := l.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("spool: %w", err), l.drainer.close(), l.lock.Close())
	}
	l.writer.Go(l.write)
	return l, nil
}

// Close waits for the writes in progress, and fails later ones. Further calls do nothing.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.work.Broadcast()
	l.room.Broadcast()
	l.mu.Unlock()
	l.writer.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.closeCurrent(), l.drainer.close(), l.lock.Close())
}

// Stats returns what the spool holds.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{Entries: l.entries, Events: l.events, Bytes: l.bytes, Err: l.err}
	for _, seg := range l.segments {
		for _, a := range seg.ages {
			if a.last >= l.drainer.first && (s.Oldest == 0 || a.from < s.Oldest) {
				s.Oldest = a.from
			}
		}
	}
	return s
}

// Held calls fn for each partition and segment that has events, with their number and a time that
// none of them was received before. It is for a Log that was just opened.
func (l *Log) Held(fn func(partition int32, events int, from event.Time)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, seg := range l.segments {
		for partition, h := range seg.held {
			fn(partition, h.events, h.from)
		}
	}
}

// Append returns when the entries are on the disk, all of them, or none that will be drained by this
// process.
func (l *Log) Append(entries []Entry) error {
	g, err := l.enqueue(entries)
	if err != nil {
		return err
	}
	<-g.done
	return g.err
}

// enqueue adds frames to the group that is written next.
func (l *Log) enqueue(entries []Entry) (*group, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed && len(l.buf) >= mostWaiting {
		l.room.Wait()
	}
	if l.closed {
		return nil, ErrClosed
	}
	size := int64(0)
	for i := range entries {
		size += mostFrame(&entries[i])
	}
	if taken := l.bytes + l.writing + int64(len(l.buf)); taken+size > l.opts.MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes of %d are taken", ErrFull, taken, l.opts.MaxBytes)
	}
	if l.group == nil {
		l.group = &group{first: l.next, done: make(chan struct{})}
		l.work.Signal()
	}
	g := l.group
	for _, e := range entries {
		l.buf = appendFrame(l.buf, l.next, g.first, &e)
		e.Events = nil
		g.entries = append(g.entries, e)
		l.next++
	}
	return g, nil
}

// write writes groups until the spool is closed.
func (l *Log) write() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for l.group == nil && !l.closed {
			l.work.Wait()
		}
		if l.group == nil {
			return
		}
		g, b := l.group, l.buf
		l.group, l.buf, l.spare = nil, l.spare[:0], nil
		seg := l.current
		l.writing = int64(len(b))
		l.room.Broadcast()
		l.mu.Unlock()
		seg, err := l.writeGroup(seg, g, b)
		l.mu.Lock()
		l.writing = 0
		if l.spare == nil {
			l.spare = b
		}
		if err == nil {
			l.keep(seg, g, int64(len(b)))
		} else {
			l.fail(seg, g, err)
		}
	}
}

// writeGroup writes and syncs a group, into a new segment if there is none to write to.
func (l *Log) writeGroup(seg *segment, g *group, b []byte) (*segment, error) {
	if seg == nil {
		var err error
		if seg, err = createSegment(l.fs, l.opts.Dir, g.first); err != nil {
			return nil, err
		}
	}
	return seg, seg.write(b)
}

// keep takes in what has been synced. REQUIRES: l.mu.
func (l *Log) keep(seg *segment, g *group, size int64) {
	if l.current != seg {
		l.current = seg
		l.segments = append(l.segments, seg)
	}
	for i := range g.entries {
		seg.take(&g.entries[i], g.first+uint64(i))
		l.events += g.entries[i].N
	}
	seg.size += size
	l.entries += len(g.entries)
	l.bytes += size
	l.synced = g.first + uint64(len(g.entries))
	l.err = nil
	if seg.size >= l.opts.SegmentBytes {
		l.err = l.closeCurrent()
	}
	close(g.done)
}

// fail fails a group, and the one behind it, whose frames have numbers that now would leave a hole.
// REQUIRES: l.mu.
func (l *Log) fail(seg *segment, g *group, err error) {
	l.err = fmt.Errorf("write spool: %w", err)
	if seg != nil && seg != l.current { // a new one without a frame
		seg.remove(l.fs)
	}
	_ = l.closeCurrent() // what it has was synced before
	l.next = l.synced
	failed := []*group{g}
	if l.group != nil {
		failed = append(failed, l.group)
		l.group, l.buf = nil, l.buf[:0]
	}
	for _, g := range failed {
		g.err = l.err
		close(g.done)
	}
}

// closeCurrent ends the segment that is written to. REQUIRES: l.mu.
func (l *Log) closeCurrent() error {
	seg := l.current
	l.current = nil
	if seg == nil {
		return nil
	}
	l.removeIfDone(seg)
	return seg.close()
}

// removeIfDone deletes a segment that is not written to and of which everything is done. REQUIRES:
// l.mu.
func (l *Log) removeIfDone(seg *segment) {
	if seg.left == 0 && seg != l.current {
		l.drop(seg)
	}
}

// drop deletes a segment. REQUIRES: l.mu.
func (l *Log) drop(seg *segment) {
	i := slices.Index(l.segments, seg)
	if i < 0 {
		return
	}
	if i == 0 {
		l.drainer.pos = int64(len(header))
	}
	l.segments = slices.Delete(l.segments, i, i+1)
	l.bytes -= seg.size - int64(len(header))
	seg.remove(l.fs)
}
