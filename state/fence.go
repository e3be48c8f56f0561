package state

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrDisk is returned once a write to the state's folder has failed. Close the store and open it
// again: it is then what it was after some delta, as after a crash.
var ErrDisk = errors.New("the disk of the state has refused a write")

// fence is a file system that ends at the first write that fails. From then on nothing reaches the
// disk, which so holds what a crash at that write would have left: the one thing a Store is made
// for. The Store asks err and stops.
//
// Pebble itself can't be told: a full disk makes it call Fatalf under its locks, in goroutines of
// its own too, or stall for ever. So it is told that all is well, and what it creates from then on
// goes into memory until it is closed.
type fence struct {
	vfs.FS
	shadow *vfs.MemFS // files and folders made since the fence fell
	failed atomic.Pointer[error]
}

// newFence returns a fence that stands.
func newFence(fs vfs.FS) *fence { return &fence{FS: fs, shadow: vfs.NewMem()} }

// err returns what made the fence fall, or nil.
func (f *fence) err() error {
	if p := f.failed.Load(); p != nil {
		return *p
	}
	return nil
}

// down reports whether the fence has fallen.
func (f *fence) down() bool { return f.failed.Load() != nil }

// fall notes the first error.
func (f *fence) fall(err error) { f.failed.CompareAndSwap(nil, &err) }

// write runs a change of the disk. One that fails, or comes after one that failed, has happened as
// far as the caller can see.
func (f *fence) write(fn func() error) {
	if f.down() {
		return
	}
	if err := fn(); err != nil {
		f.fall(fmt.Errorf("%w: %w", ErrDisk, err))
	}
}

// Create syncs the folder before it makes a marker. Pebble makes the file that a marker names, then
// the marker, and only then syncs the folder: power that fails before that may leave the marker
// alone.
func (f *fence) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(f.PathBase(name), "marker.") {
		f.write(func() error { return f.syncDir(f.PathDir(name)) })
	}
	var file vfs.File
	f.write(func() (err error) {
		file, err = f.FS.Create(name, c)
		return err
	})
	if file == nil {
		if err := f.shadow.MkdirAll(f.PathDir(name), 0o755); err != nil {
			return nil, err
		}
		return f.shadow.Create(name, c)
	}
	return &fencedFile{file, f}, nil
}

// syncDir makes the names in a folder durable.
func (f *fence) syncDir(name string) error {
	dir, err := f.FS.OpenDir(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// ReuseForWrite creates a new file once the fence is down: the recycled one keeps its old content
// on disk.
func (f *fence) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	var file vfs.File
	f.write(func() (err error) {
		file, err = f.FS.ReuseForWrite(oldname, newname, c)
		return err
	})
	if file == nil {
		return f.Create(newname, c)
	}
	return &fencedFile{file, f}, nil
}

// OpenReadWrite opens a file that will be written, so it is a new one in memory once the fence is
// down.
func (f *fence) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	if f.down() {
		return f.Create(name, c)
	}
	file, err := f.FS.OpenReadWrite(name, c, opts...)
	if err != nil {
		return nil, err
	}
	return &fencedFile{file, f}, nil
}

// Open opens a file to read it. Once the fence is down, one that Pebble believes to have written
// lies in memory.
func (f *fence) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if f.down() {
		if file, err := f.shadow.Open(name, opts...); err == nil {
			return file, nil
		}
	}
	return f.FS.Open(name, opts...)
}

// OpenDir opens a folder, whose Sync is a write like others.
func (f *fence) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &fencedFile{file, f}, nil // it is opened to be synced
}

// Stat looks where Open does.
func (f *fence) Stat(name string) (vfs.FileInfo, error) {
	if f.down() {
		if info, err := f.shadow.Stat(name); err == nil {
			return info, nil
		}
	}
	return f.FS.Stat(name)
}

// Link is a change of the disk. Pebble goes on as if the name were there.
func (f *fence) Link(oldname, newname string) error {
	f.write(func() error { return f.FS.Link(oldname, newname) })
	return nil
}

// Remove lets a file that is not there be an error, as Pebble wants to know.
func (f *fence) Remove(name string) error {
	var missing error
	f.write(func() error {
		err := f.FS.Remove(name)
		if errors.Is(err, os.ErrNotExist) {
			missing, err = err, nil
		}
		return err
	})
	return missing
}

// RemoveAll is a change of the disk.
func (f *fence) RemoveAll(name string) error {
	f.write(func() error { return f.FS.RemoveAll(name) })
	return nil
}

// Rename is a change of the disk, or of what has been made in memory since the fence fell.
func (f *fence) Rename(oldname, newname string) error {
	if f.down() && f.shadow.Rename(oldname, newname) == nil {
		return nil
	}
	f.write(func() error { return f.FS.Rename(oldname, newname) })
	return nil
}

// MkdirAll and Lock are the first that Open does; their errors are plain.
func (f *fence) MkdirAll(dir string, perm os.FileMode) error { return f.FS.MkdirAll(dir, perm) }

// Lock tells a folder that is in use from one that cannot be locked: the one wants another
// process ended, the other a look at the disk.
func (f *fence) Lock(name string) (io.Closer, error) {
	lock, err := f.FS.Lock(name)
	var path *os.PathError
	if err != nil && !errors.As(err, &path) { // the file is there, and somebody else has it
		err = fmt.Errorf("%w: %w", ErrLocked, err)
	}
	return lock, err
}

// Unwrap hides the disk: nobody is to reach it around the fence.
func (f *fence) Unwrap() vfs.FS { return nil }

// fencedFile is a file on the disk that was opened before the fence fell.
type fencedFile struct {
	vfs.File
	fence *fence
}

// Write claims to have written all of b, as every write behind a fence does.
func (f *fencedFile) Write(b []byte) (int, error) {
	f.fence.write(func() error {
		_, err := f.File.Write(b)
		return err
	})
	return len(b), nil
}

// WriteAt is Write at a position.
func (f *fencedFile) WriteAt(b []byte, pos int64) (int, error) {
	f.fence.write(func() error {
		_, err := f.File.WriteAt(b, pos)
		return err
	})
	return len(b), nil
}

// Sync and the two below fail as writes do: a file that did not get to the disk ends the store.
func (f *fencedFile) Sync() error {
	f.fence.write(f.File.Sync)
	return nil
}

// SyncData is Sync without what a file system notes about the file.
func (f *fencedFile) SyncData() error {
	f.fence.write(f.File.SyncData)
	return nil
}

// SyncTo is SyncData of a file's beginning.
func (f *fencedFile) SyncTo(length int64) (full bool, err error) {
	f.fence.write(func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, nil
}

// Close always closes, so that no descriptor stays behind.
func (f *fencedFile) Close() error {
	if err := f.File.Close(); err != nil {
		f.fence.fall(fmt.Errorf("%w: %w", ErrDisk, err))
	}
	return nil
}
