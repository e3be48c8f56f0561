package local

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/engine/wire"
)

// Errors of Open and of a Store, for errors.Is.
var (
	// ErrLocked: another process has the folder open.
	ErrLocked = errors.New("the folder is in use by another process")
	// ErrDamaged: what the folder holds can't be read. Rollups are derived: the folder may be
	// removed and rebuilt by replay.
	ErrDamaged = errors.New("the rollup store is damaged; remove the folder and rebuild it with `millrace replay`")
	// ErrFormat: the folder is not a rollup store of a layout this build knows.
	ErrFormat = errors.New("the folder holds no rollup store of a known format")
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("the rollup store is closed")
)

// format is the number of the layout in doc.go.
const (
	format = "2"
	known  = 2 // the same as a number
)

// A memtable takes writes until it is full, while the one before it is flushed.
const (
	memtableBytes = 16 << 20
	memtables     = 2
)

// maxOpenFiles bounds the tables that are held open, however large the store grows: about a third of
// a GB of it. To open another costs some reads of what the system has in memory.
const maxOpenFiles = 64

var formatKey = []byte{tableMeta, 'f', 'o', 'r', 'm', 'a', 't'}

// Options of a Store.
type Options struct {
	// Dir is the folder; it is made if it is not there. Required.
	Dir string
	// Logger takes the messages of Pebble, at level debug, and its errors. Required.
	Logger *slog.Logger
	// FS is the file system; nil is the disk.
	FS vfs.FS
	// CacheBytes is the size of the block cache, default 32 MiB: some days of one busy site's
	// family.
	CacheBytes int64
	// NoSync leaves it to the operating system when writes reach the disk: a power loss may then
	// take back windows whose records are committed. For tests and bulk loads.
	NoSync bool
	// Fatal is called when Pebble can't go on (a failed write to its log or manifest) and must not
	// return. The default ends the process with status 1 after the error has been logged: nothing
	// is lost by that, because what was not written has not been committed to Kafka either.
	Fatal func(error)
}

// Store is an open rollup store.
type Store struct {
	dir   string
	db    any // Pebble's; see pebbleOf
	lock  io.Closer
	write *pebble.WriteOptions

	mu     sync.Mutex // guards closed
	closed bool
	users  sync.WaitGroup // calls under way

	damage atomic.Pointer[error] // the first that Pebble has come across

	writing sync.Mutex // held from reading the stored versions to the end of the batch
	days    days
}

// pebbleOf returns the database of a store. No field and no method of Store has a type of Pebble: every package that sees
// Store would compile Pebble's generic types once more, which takes half a second each time.
func pebbleOf(s *Store) *pebble.DB { return s.db.(*pebble.DB) }

// Open opens the folder. Errors are ErrLocked, ErrDamaged, ErrFormat or the file system's, with the
// folder's name.
func Open(o Options) (*Store, error) {
	s, err := open(o)
	if err != nil {
		return nil, fmt.Errorf("open rollup store %q: %w", o.Dir, err)
	}
	return s, nil
}

func open(o Options) (*Store, error) {
	if o.Dir == "" {
		return nil, errors.New("no folder is given")
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 32 << 20
	}
	if err := o.FS.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	lock, err := pebble.LockDirectory(o.Dir, o.FS)
	if err != nil {
		if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		return nil, fmt.Errorf("%w (%w)", ErrLocked, err)
	}
	logger := newLogger(o.Logger, o.Fatal, o.Dir)
	o.FS = &sureLog{o.FS, logger.end}
	s := &Store{dir: o.Dir, lock: lock, write: pebble.Sync}
	before := openingOf(&o)
	db, err := openPebble(s, &o, lock, logger)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.db = db
	if o.NoSync {
		s.write = pebble.NoSync
	}
	s.days.init(o.Logger)
	err = s.checkFormat()
	if err == nil {
		err = s.trustDays(before, openingOf(&o))
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func openPebble(s *Store, o *Options, lock *pebble.Lock, logger *logger) (*pebble.DB, error) {
	// Pebble counts memtables as part of the cache, also one that it keeps to use again: without
	// room for them no block would stay in it.
	cache := pebble.NewCache(o.CacheBytes + memtables*memtableBytes)
	defer cache.Unref()
	po := &pebble.Options{
		Cache:              cache,
		FS:                 o.FS,
		Lock:               lock,
		Logger:             logger,
		FormatMajorVersion: pebble.FormatNewest,
		MemTableSize:       memtableBytes,
		MaxOpenFiles:       maxOpenFiles,
		// Without these Pebble ends the process when it meets a damaged table. Who reads it is told
		// instead.
		EventListener: &pebble.EventListener{
			DataCorruption: func(i pebble.DataCorruptionInfo) {
				err := fmt.Errorf("%w (%s: %w)", ErrDamaged, i.Path, i.Details)
				s.damage.CompareAndSwap(nil, &err)
				o.Logger.Error("rollup store is damaged", "file", i.Path, "err", i.Details)
			},
			BackgroundError: func(err error) { o.Logger.Error("rollup store: background work", "err", err) },
		},
	}
	for i := range po.Levels {
		// Filters answer the look-up of a version that is not there, which is most of them.
		po.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		po.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	}
	db, err := pebble.Open(o.Dir, po)
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, os.ErrPermission):
		return nil, err
	}
	if strings.Contains(err.Error(), "unknown format major version") {
		return nil, fmt.Errorf("%w: use the newer program (%w)", wire.ErrNewer, err)
	}
	// What else stops Pebble from opening a folder that is there, can be read and is not locked are
	// its files; it marks only some of these errors as corruption.
	return nil, fmt.Errorf("%w (%w)", ErrDamaged, err)
}

// checkFormat marks a new store with its format and refuses any other.
func (s *Store) checkFormat() error {
	v, closer, err := pebbleOf(s).Get(formatKey)
	if err == nil {
		defer closer.Close()
		if n, err := strconv.Atoi(string(v)); err == nil && n > known {
			return wire.Newer(n, known, known)
		}
		if string(v) != format {
			return fmt.Errorf("%w: its layout has number %.20q, this build knows %s; rollups are derived: remove the folder, "+
				"then windows that Kafka still holds are written again at the next start, older ones by `millrace replay`", ErrFormat, v, format)
		}
		return nil
	}
	if !errors.Is(err, pebble.ErrNotFound) {
		return damaged(err)
	}
	it, err := pebbleOf(s).NewIter(nil)
	if err != nil {
		return damaged(err)
	}
	empty := !it.First()
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return damaged(err)
	}
	if !empty {
		return fmt.Errorf("%w: it is a Pebble database of something else, or what is left of a damaged store; "+
			"in a data folder of Millrace remove it, and rebuild it with `millrace replay`", ErrFormat)
	}
	return pebbleOf(s).Set(formatKey, []byte(format), s.write)
}

// damaged adds ErrDamaged to what Pebble or a codec of ours found to be corrupt.
func damaged(err error) error {
	if pebble.IsCorruptionError(err) || errors.Is(err, errKey) || errors.Is(err, errValue) {
		text, _, _ := strings.Cut(err.Error(), "\n") // Pebble's go on with markers
		return fmt.Errorf("%w (%s)", ErrDamaged, text)
	}
	return err
}

// enter counts a call in; it fails once the store is closed. Each success needs a leave.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.users.Add(1)
	return nil
}

func (s *Store) leave() { s.users.Done() }

// Close waits for the calls under way and closes the store. Closing twice is no error.
func (s *Store) Close() error {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.mu.Unlock()
	s.days.stop()
	s.users.Wait()
	if was {
		return nil
	}
	if err := errors.Join(pebbleOf(s).Close(), s.lock.Close()); err != nil {
		return fmt.Errorf("close rollup store %q: %w", s.dir, err)
	}
	return nil
}

// logger gives Pebble's lines to slog, and ends the process.
type logger struct {
	log   *slog.Logger
	fatal func(error)
	dir   string
}

func newLogger(log *slog.Logger, fatal func(error), dir string) *logger {
	if fatal == nil {
		fatal = func(error) { os.Exit(1) }
	}
	return &logger{log, fatal, dir}
}

func (l *logger) Infof(format string, args ...any)  { l.log.Debug(fmt.Sprintf(format, args...)) }
func (l *logger) Errorf(format string, args ...any) { l.log.Error(fmt.Sprintf(format, args...)) }

func (l *logger) Fatalf(format string, args ...any) {
	text, _, _ := strings.Cut(fmt.Sprintf(format, args...), "\n") // lists of files may follow
	l.end(errors.New(text))
}

// end ends the process with one line. It does not return.
func (l *logger) end(err error) {
	err = goneOr(err, l.dir)
	l.log.Error("rollup store can't go on: the process ends, nothing that Kafka holds is lost", "folder", l.dir, "err", err)
	l.fatal(err)
}

// closeIter joins an iterator's errors to err.
func closeIter(err error, it io.Closer) error { return errors.Join(err, it.Close()) }
