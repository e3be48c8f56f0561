package offline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/lineage"
	"millrace/cmd/internal/rules"
	"millrace/cmd/internal/stores"
	"millrace/cmd/internal/storesocket"
	"millrace/engine"
	"millrace/internal/blob"
)

// Options name the stores of a command.
type Options struct {
	// Data is the data folder. It is used unless both Influx and S3 are set and NeedFolder is not.
	Data string
	// Influx is the address of an InfluxDB; empty is the local rollup store of the data folder.
	Influx string
	// S3 is the address of an archive; empty is the one in the data folder.
	S3 string
	// Version is the build's, by which a running serve knows whether it understands the command.
	Version string
	// Create lets a data folder or an archive that is missing be made.
	Create bool
	// NeedFolder is for commands that read the secret of the data folder.
	NeedFolder bool
	Log        *slog.Logger
}

// Session is archive and rollup store for a command that is no serve, but may run beside one. It
// belongs to one goroutine.
type Session struct {
	// Dir is the data folder; nil if nothing of it is used.
	Dir *datadir.Dir
	// Stores has the archive, and one rollup store.
	Stores stores.Set

	// beside is the serve that has Dir; nil: the command has the folder to itself, or needs none.
	beside  *storesocket.Client
	locked  bool // Dir's lock is this command's
	bucket  bool // the archive was given by its address
	closers []func() error
	failed  error // of a look at the store that had no way to return it

	rules *engine.Rules // of the stream; nil until they are read
}

// Use returns a session on stores that the caller has open, and closes.
func Use(dir *datadir.Dir, set stores.Set) *Session { return &Session{Dir: dir, Stores: set} }

// Open opens archive and rollups. The data folder is locked if any of it is used; where a running
// serve has it, the command uses the rollup store through serve, one command at a time, and the
// archive beside it, which any number of processes may write. With a bucket and an InfluxDB nothing
// of the folder is used.
func Open(o Options) (*Session, error) {
	s := &Session{bucket: o.S3 != ""}
	if err := s.open(&o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Session) open(o *Options) error {
	if o.S3 != "" && !o.Create {
		if err := lakeExists(o.S3); err != nil {
			return err
		}
	}
	if o.Influx == "" || o.S3 == "" || o.NeedFolder {
		if err := s.openFolder(o); err != nil {
			return err
		}
	}
	folder, rollups := "", ""
	if s.Dir != nil {
		folder, rollups = s.Dir.Lake(), s.Dir.Rollups()
	}
	var err error
	if s.Stores.Lake, err = stores.OpenLake(o.S3, folder); err != nil {
		return err
	}
	switch {
	case o.Influx == "" && s.beside != nil:
		s.Stores.Served = s.beside
	case o.Influx == "":
		if s.Stores.Local, err = stores.OpenLocal(rollups, o.Log); err != nil {
			return err
		}
		s.closers = append(s.closers, s.Stores.Local.Close)
	default:
		if s.Stores.Influx, err = stores.OpenInflux(o.Influx, stores.LogDead(o.Log), o.Log); err != nil {
			return err
		}
		s.closers = append(s.closers, s.Stores.Influx.Close)
	}
	return nil
}

// openFolder locks the data folder, or reaches the serve that has it.
func (s *Session) openFolder(o *Options) error {
	if _, err := os.Stat(o.Data); errors.Is(err, fs.ErrNotExist) && !o.Create {
		return fmt.Errorf("there is no data folder %s; name it with --data", o.Data)
	}
	dir, err := datadir.Open(o.Data)
	s.locked = err == nil
	if errors.Is(err, datadir.ErrInUse) {
		if dir, err = s.openBeside(o, err); err == nil && o.Influx == "" && !s.beside.HasStore() {
			s.Dir = dir
			return fmt.Errorf("the serve on data folder %s has no rollups of its own: give this command its --influx, "+
				"or run it where the roles emit and query are", o.Data)
		}
	}
	if err != nil {
		return err
	}
	s.Dir = dir
	s.closers = append(s.closers, dir.Close)
	return nil
}

// openBeside reaches the serve that has the data folder. InUse is the error of the lock.
func (s *Session) openBeside(o *Options, inUse error) (*datadir.Dir, error) {
	abs, err := filepath.Abs(o.Data)
	if err != nil {
		return nil, err
	}
	s.beside, err = storesocket.Dial(context.Background(), stores.Socket(abs), stores.Build(o.Version))
	if errors.Is(err, storesocket.ErrNone) {
		return nil, fmt.Errorf("%w, which lets no command in; stop it first", inUse)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", inUse, err)
	}
	s.closers = append(s.closers, s.beside.Close)
	return datadir.Beside(abs), nil
}

// lakeExists refuses the address of a folder that is missing: a mistyped one would look like an
// archive without events. Whether a bucket is there shows when it is read.
func lakeExists(address string) error {
	path, err := blob.FolderOf(address)
	if err != nil {
		return fmt.Errorf("open archive: %w", err)
	}
	if path == "" {
		return nil
	}
	files, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no archive %s; name it with --s3", path)
	}
	if err != nil {
		return fmt.Errorf("open archive: %w", err)
	}
	if len(files) == 0 || slices.ContainsFunc(files, func(f fs.DirEntry) bool { return ofArchive(f.Name()) }) {
		return nil
	}
	if _, err := os.Stat(filepath.Join(path, "lake")); err == nil {
		return fmt.Errorf("there is no archive in %s; that of a data folder is in %s", path, filepath.Join(path, "lake"))
	}
	return fmt.Errorf("there is no archive in %s, which has other files; name it with --s3", path)
}

// ofArchive reports whether an archive has a folder of that name.
func ofArchive(name string) bool { return strings.HasPrefix(name, "dt=") || name == "_progress" }

// Close closes what Open has opened.
func (s *Session) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// live reports whether a serve may be writing to the rollup store.
func (s *Session) live() bool { return s.Dir == nil || s.beside != nil }

// neverServed reports whether the data folder has the rollup store and has never had a log: what an
// archive elsewhere was made of is not its, and no serve on this folder will finish it.
func (s *Session) neverServed() bool {
	if s.Dir == nil || s.beside != nil || s.Stores.Local == nil {
		return false
	}
	for _, name := range []string{s.Dir.Broker(), s.Dir.State(), filepath.Join(s.Dir.Path(), lineage.IdentityFile)} {
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

// streamRules returns the rules that the archived stream is counted by. They are read once.
func (s *Session) streamRules(ctx context.Context) (engine.Rules, error) {
	if s.rules == nil {
		r, err := rules.Load(ctx, s.Stores.Lake)
		if err != nil {
			return r, err
		}
		s.rules = &r
	}
	return *s.rules, nil
}
