package state

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/engine/delta"
	"millrace/engine/event"
	"millrace/engine/visit"
	"millrace/engine/window"
	"millrace/engine/wire"
)

// Rule is one of the journal's rules. The simulator takes rules out to show that it would notice.
type Rule uint16

// The rules that live in this package.
const (
	J1  Rule = 1 << iota // a delta is applied once
	J2                   // it can be written to the changelog again, as it is
	J3                   // until all before it are known to be there
	J5                   // recovery takes a delta only behind the one it follows
	J6                   // an acknowledgement out of turn moves no position
	J8                   // what has closed is deleted behind the commit
	J11                  // a record that comes again fires the same windows
)

// Options are the settings of a Store.
type Options struct {
	// Dir is the folder, made if missing. Required.
	Dir string
	// FS is the file system; nil is the machine's.
	FS vfs.FS
	// Limit is the cardinality budget: values kept per window and family, the engine's
	// Rules.Values. 0 or less is no limit.
	Limit int
	// MemTableBytes is the size of Pebble's memtable. Default 32 MiB: with 16 a busy partition
	// takes some 5 % more time, because more reaches the disk that is about to be deleted. One that
	// has little to do takes less than that.
	MemTableBytes uint64
	// FoldFrom is the size in bytes of a window's state from which flushes and compactions fold it.
	// Default window.FoldFrom. It changes nothing that can be read.
	FoldFrom int
	// Visits are the rules of visits, the engine's.
	Visits visit.Rules
	// Life is how long, in log time, a record can matter to the state: engine.Rules.Life, and what
	// collectors lag. It is used only when a store reads a changelog whose beginning has expired.
	// Default 14 h. The changelog must be kept for longer than three times this.
	Life event.Time
	// Logger takes Pebble's messages; nil drops all but fatal ones.
	Logger pebble.Logger
	// Without takes rules out. For the simulator only.
	Without Rule
}

// Errors of Open and of the live path.
var (
	// ErrCorrupt: the folder does not hold a state that this build can read.
	ErrCorrupt = errors.New("state is damaged or of another version; stop, delete the folder and start again: it comes back from the changelog")
	// ErrChain: a delta does not follow the last one applied.
	ErrChain = errors.New("delta does not follow the state")
	// ErrClosed: the store has been closed, or its partition is not open.
	ErrClosed = errors.New("state is not open")
	// ErrLocked: another process, or another store of this one, has the folder open.
	ErrLocked = errors.New("in use by another process")
)

// formatVersion is stored in the folder. It changes with the encodings of what is in there, too:
// deltas, journals of visits and of ids, chunks of windows. By their own numbers a damaged byte could
// not be told from a newer build.
const formatVersion = 4

// Keys. Window keys are their kind's prefix, start (big endian, sign bit flipped), site; the others
// a prefix and the offset of a record (big endian).
var (
	keyFormat = []byte("v")
	keyMeta   = []byte("m")
)

const (
	prefixFired      = 'f'
	prefixOutbox     = 'o'
	prefixMinute     = 'w'
	prefixHour       = 'h' // when hours fired: they have no state but that of their minutes
	prefixVisits     = 'x' // windows of visits
	prefixJournal    = 'j' // what a record did to live visits, since the last checkpoint
	prefixCheckpoint = 'c' // live visits that had changed by a record
	prefixSeen       = 's' // the ids of a record's events
)

// windowPrefix returns the prefix of windows of a kind.
func windowPrefix(k window.Kind) byte {
	switch k {
	case window.Hour:
		return prefixHour
	case window.Visits:
		return prefixVisits
	}
	return prefixMinute
}

// Store is the state of one partition.
type Store struct {
	life  sync.RWMutex // guards db: Close waits for whoever is at it
	db    any          // Pebble's; nil once closed. See pebbleOf
	fence *fence

	opts    Options
	limit   int
	keybuf  []byte
	valbuf  []byte
	decoded delta.Delta
	reading atomic.Bool // Fold is reading; see merger

	// Owned by the partition's goroutine.
	last      int64      // offset of the last delta applied (J1)
	meta      []byte     // the core's state
	watermark event.Time // after that delta
	fired     []int64
	closing   []closing
	visits    *visit.Table
	journal   journal
	flush     bool // begin a flush when the batch is in

	mu         sync.Mutex // guards what follows
	accepted   int64      // last delta known to be in the changelog, in chain order (J5)
	position   int64      // next position of the changelog to read
	acceptedAt event.Time // watermark of accepted
	warm       event.Time // watermark at which the chain has held long enough, 0 if it always has
	frozen     bool       // position may not move in this session (J6)
	outbox     []entry    // deltas not known to be in the changelog, in order (J2)
	trimmed    []int64    // left the outbox, still on disk
	committed  int64      // offset below which everything is committed
}

// pebbleOf returns the database of an open store. No field and no method of Store has a type of Pebble: every package that
// sees Store would compile Pebble's generic types once more, which takes half a second each time.
func pebbleOf(s *Store) *pebble.DB { return s.db.(*pebble.DB) }

// entry is a delta in the outbox.
type entry struct {
	delta.Head
	acked bool
}

// closing is a horizon that waits for the commit to pass the record that set it (J8).
type closing struct {
	offset          int64
	minutes, visits event.Time
}

// Open opens or creates the state in a folder.
func Open(o Options) (*Store, error) {
	if o.Dir == "" {
		return nil, errors.New("open state: Dir is empty")
	}
	s := &Store{opts: o, limit: o.Limit, last: delta.None, accepted: delta.None, committed: -1, visits: visit.NewTable(o.Visits)}
	if s.opts.Life == 0 {
		s.opts.Life = 14 * event.Hour
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	s.fence = newFence(o.FS)
	db, err := openPebble(s, o)
	if err != nil {
		return nil, fmt.Errorf("open state %q: %w", o.Dir, err)
	}
	s.db = db
	if err := cmp.Or(s.load(), s.fence.err()); err != nil {
		db.Close()
		return nil, fmt.Errorf("open state %q: %w", o.Dir, err)
	}
	return s, nil
}

// openPebble opens the database with the settings that its use here wants: everything that it
// keeps is short-lived, is read once, and can be had from the changelog again. An error says
// whether the content is damaged (ErrCorrupt), the disk refuses (ErrDisk), or another process has
// the folder (ErrLocked): an operator does something else about each.
func openPebble(s *Store, o Options) (*pebble.DB, error) {
	po := &pebble.Options{
		FS:                          s.fence,
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                o.MemTableBytes,
		MemTableStopWritesThreshold: 4,
		// The changelog is the write-ahead log. What a crash takes with a memtable comes back from
		// there, and what is not there either comes again, since it was not committed.
		DisableWAL: true,
		// A compaction of a few flushes rewrites the windows that are growing, and those that their
		// fold is about to replace. Reads, which pay for files that lie on one another, are rare:
		// what is open is in memory.
		L0CompactionThreshold: 16,
		L0StopWritesThreshold: 48,
		MaxOpenFiles:          256,
		Logger:                quiet{o.Logger},
		Merger:                merger(max(s.limit, 0), cmp.Or(o.FoldFrom, window.FoldFrom), &s.reading),
	}
	if po.MemTableSize == 0 {
		po.MemTableSize = 32 << 20
	}
	// Pebble's own answer to a block that does not check is Fatalf.
	po.EventListener = &pebble.EventListener{DataCorruption: func(i pebble.DataCorruptionInfo) {
		s.fence.fall(fmt.Errorf("%w: %s: %w", ErrCorrupt, i.Path, i.Details))
	}}
	// What a flush writes does not live long: it is not worth the time to compress it.
	po.ApplyCompressionSettings(func() pebble.DBCompressionSettings {
		c := pebble.DBCompressionFastest
		c.Levels[0] = sstable.NoCompression
		return c
	})
	cache := pebble.NewCache(8 << 20)
	defer cache.Unref()
	po.Cache = cache
	db, err := pebble.Open(o.Dir, po)
	var path *fs.PathError
	switch {
	case err == nil:
		return db, nil
	case s.fence.down():
		return nil, s.fence.err()
	case errors.Is(err, ErrLocked), errors.As(err, &path) && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if strings.Contains(fmt.Sprint(err), "unknown format major version") {
		return nil, fmt.Errorf("%w: use the newer program (%w)", wire.ErrNewer, err)
	}
	// The machine has done what was asked of it: the content is wrong, or a file is missing.
	return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
}

// damage tells what is wrong with the folder's content from other errors. Once the disk has refused
// a write, what Pebble reads may be a file that is only half there: the refusal is the error.
func (s *Store) damage(err error) error {
	if err != nil && s.fence.down() {
		return s.fence.err()
	}
	if err != nil && (pebble.IsCorruptionError(err) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, window.ErrChunk)) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// begin is called by every method that goes to Pebble, and end after it, unless begin returned an
// error.
func (s *Store) begin() error {
	s.life.RLock()
	err := ErrClosed
	if s.db != nil {
		err = s.fence.err()
	}
	if err != nil {
		s.life.RUnlock()
		return fmt.Errorf("state %q: %w", s.opts.Dir, err)
	}
	return nil
}

// end lets Close go on once nobody else is at the database.
func (s *Store) end() { s.life.RUnlock() }

// load reads what the live path keeps in memory.
func (s *Store) load() error {
	v, err := s.get(keyFormat)
	switch {
	case err != nil:
		return err
	case v == nil:
		return pebbleOf(s).Set(keyFormat, []byte{formatVersion}, pebble.NoSync)
	case len(v) == 1 && v[0] > formatVersion:
		return wire.Newer(int(v[0]), formatVersion, formatVersion)
	case len(v) != 1 || v[0] != formatVersion:
		return fmt.Errorf("%w: format %v, this build has %d", ErrCorrupt, v, formatVersion)
	}
	m, err := s.get(keyMeta)
	if err != nil {
		return err
	}
	if m != nil {
		if len(m) < metaHead {
			return fmt.Errorf("%w: meta record of %d bytes", ErrCorrupt, len(m))
		}
		s.last = int64(binary.BigEndian.Uint64(m))
		s.accepted = int64(binary.BigEndian.Uint64(m[8:]))
		s.position = int64(binary.BigEndian.Uint64(m[16:]))
		s.acceptedAt = event.Time(binary.BigEndian.Uint64(m[24:]))
		s.warm = event.Time(binary.BigEndian.Uint64(m[32:]))
		s.watermark = event.Time(binary.BigEndian.Uint64(m[40:]))
		s.meta = m[metaHead:]
	}
	if err := s.loadVisits(); err != nil {
		return err
	}
	if err := s.scan(prefixFired, func(k, _ []byte) error {
		s.fired = append(s.fired, int64(binary.BigEndian.Uint64(k[1:])))
		return nil
	}); err != nil {
		return err
	}
	return s.scan(prefixOutbox, func(k, v []byte) error {
		h, err := delta.DecodeHead(v)
		if err != nil {
			return fmt.Errorf("%w: outbox: %w", ErrCorrupt, err)
		}
		if h.Offset <= s.accepted {
			s.trimmed = append(s.trimmed, h.Offset)
			return nil
		}
		s.outbox = append(s.outbox, entry{Head: h})
		return nil
	})
}

// metaHead is the length of last, accepted, position, acceptedAt, warm and watermark in the meta
// record; the core's state follows.
const metaHead = 48

// Close flushes and closes the store, and waits for calls that are under way. It is idempotent.
// Every method that needs the disk returns ErrClosed from then on.
func (s *Store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.db == nil {
		return nil
	}
	err := errors.Join(pebbleOf(s).Flush(), pebbleOf(s).Close())
	s.db = nil
	if err = cmp.Or(s.fence.err(), err); err != nil {
		return fmt.Errorf("close state %q: %w", s.opts.Dir, err)
	}
	return nil
}

// Sync makes all that was applied so far durable. Correctness does not need it; it shortens
// recovery after a crash.
func (s *Store) Sync() error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.end()
	return cmp.Or(pebbleOf(s).Flush(), s.fence.err())
}

// Last returns the offset of the last delta applied, or delta.None.
func (s *Store) Last() int64 { return s.last }

// Meta returns the core's state after the last delta, nil for a new store. The caller must not
// change it.
func (s *Store) Meta() []byte { return s.meta }

// Position returns the next position of the changelog to be read by Recover; 0 for a new store.
func (s *Store) Position() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position
}

// OutboxLen returns the number of deltas that are not known to be in the changelog.
func (s *Store) OutboxLen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.outbox)
}

// Windows calls fn for every window in the store, by kind, hours first, in order of start and then
// site. Fn must not call s.
func (s *Store) Windows(fn func(k window.Kind, site string, start event.Time, st window.Status) error) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.end()
	for _, kind := range []window.Kind{window.Hour, window.Minute, window.Visits} {
		err := s.scan(windowPrefix(kind), func(k, v []byte) error {
			st, err := window.ReadStatus(v)
			if err != nil {
				return err
			}
			start, site := splitWindowKey(k)
			return fn(kind, site, start, st)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Fold adds the state of a window to a, which the caller has reset with Limit, and returns its size
// in bytes. A window that is not there adds nothing.
func (s *Store) Fold(k window.Kind, site string, start event.Time, a *window.Agg) (int, error) {
	if err := s.begin(); err != nil {
		return 0, err
	}
	defer s.end()
	s.keybuf = appendWindowKey(s.keybuf[:0], k, site, start)
	s.reading.Store(true)
	defer s.reading.Store(false)
	v, closer, err := pebbleOf(s).Get(s.keybuf)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read window of %s %s %s: %w", k, site, start, s.damage(err))
	}
	defer closer.Close()
	if err := a.Add(v); err != nil {
		return 0, fmt.Errorf("read window of %s %s %s: %w", k, site, start, s.damage(err))
	}
	return len(v), nil
}

// Limit returns the cardinality budget, 0 for none.
func (s *Store) Limit() int { return max(s.limit, 0) }

// Compact replaces a window's chunks by their fold, which a holds, unless that has more than most
// bytes. It changes nothing that can be read; it spares the next Fold the work.
func (s *Store) Compact(k window.Kind, site string, start event.Time, a *window.Agg, most int) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.end()
	s.valbuf = a.AppendFolded(s.valbuf[:0])
	if len(s.valbuf) > most {
		return nil
	}
	s.keybuf = appendWindowKey(s.keybuf[:0], k, site, start)
	return pebbleOf(s).Set(s.keybuf, s.valbuf, pebble.NoSync)
}

// SizeBytes returns the space the store takes on disk, 0 once it is closed.
func (s *Store) SizeBytes() uint64 {
	if s.begin() != nil {
		return 0
	}
	defer s.end()
	return pebbleOf(s).Metrics().DiskSpaceUsage()
}

// get returns a copy of the value of a key, nil for none.
func (s *Store) get(key []byte) ([]byte, error) {
	v, closer, err := pebbleOf(s).Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, s.damage(err)
	}
	defer closer.Close()
	return append([]byte{}, v...), nil
}

// scan calls fn with each key of a prefix, in order. The bytes are valid during the call only.
func (s *Store) scan(prefix byte, fn func(k, v []byte) error) error {
	it, err := pebbleOf(s).NewIter(&pebble.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}})
	if err != nil {
		return s.damage(err)
	}
	for it.First(); it.Valid(); it.Next() {
		v, err := it.ValueAndErr()
		if err == nil {
			err = fn(it.Key(), v)
		}
		if err != nil {
			it.Close()
			return s.damage(err)
		}
	}
	return s.damage(it.Close())
}

// appendOffsetKey appends the key of what belongs to a record. Offsets are not negative, so that
// the order of the keys is that of the log.
func appendOffsetKey(b []byte, prefix byte, offset int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, prefix), uint64(offset))
}

// appendWindowKey appends the key of a window. The start comes before the site, so that what
// closes together lies together and is deleted as one range (J8).
func appendWindowKey(b []byte, k window.Kind, site string, start event.Time) []byte {
	b = binary.BigEndian.AppendUint64(append(b, windowPrefix(k)), uint64(start)^(1<<63))
	return append(b, site...)
}

// splitWindowKey returns the start and the site of a window's key.
func splitWindowKey(k []byte) (event.Time, string) {
	return event.Time(binary.BigEndian.Uint64(k[1:]) ^ (1 << 63)), string(k[9:])
}

// quiet drops Pebble's chatter.
type quiet struct{ pebble.Logger }

// Infof drops what Pebble says of its flushes and compactions, several lines a second.
func (q quiet) Infof(string, ...any) {}

// Errorf hands errors on that Pebble gets over by itself; without a logger they are dropped.
func (q quiet) Errorf(format string, args ...any) {
	if q.Logger != nil {
		q.Logger.Errorf(format, args...)
	}
}

// Fatalf is called where Pebble cannot go on. It must not return, and without a logger it panics:
// what the disk refuses never comes here (see fence), so that this is a bug.
func (q quiet) Fatalf(format string, args ...any) {
	if q.Logger != nil {
		q.Logger.Fatalf(format, args...)
		return
	}
	panic("pebble: " + fmt.Sprintf(format, args...))
}
