package lockfile

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrHeld is returned for a lock that another process has, or this one already.
var ErrHeld = errors.New("lock is held")

// Lock is a lock that is held.
type Lock struct {
	close func() error
}

// Open takes the lock, and does not wait for it. Its errors are ErrHeld, and those of the file
// system, which are *fs.PathError: the file can't be made.
func Open(path string) (*Lock, error) {
	name, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	held, err := vfs.Default.Lock(filepath.Join(dir, filepath.Base(name)))
	if err == nil {
		return &Lock{close: sync.OnceValue(held.Close)}, nil
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, err
	}
	return nil, ErrHeld
}

var _ io.Closer = (*Lock)(nil)

// Close gives the lock free. It may be called more than once.
func (l *Lock) Close() error { return l.close() }

// retryEvery is how often Wait tries again.
const retryEvery = 50 * time.Millisecond

// Wait is Open that waits for the lock until ctx ends.
func Wait(ctx context.Context, path string) (*Lock, error) {
	for {
		lock, err := Open(path)
		if !errors.Is(err, ErrHeld) {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		case <-time.After(retryEvery):
		}
	}
}
