package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrGone: the folder of the store is not there any more. What is written goes to files that
// nothing finds again.
var ErrGone = errors.New("the rollup store was removed or moved away while it was in use; " +
	"start again: windows that Kafka still holds are written again, run `millrace replay` for older ones")

// Check reads from the store, and returns why that can't be done, or the damage that was found in
// any of its files since it was opened.
func (s *Store) Check(ctx context.Context) error {
	if err := s.damage.Load(); err != nil {
		return fmt.Errorf("rollup store %q: %w", s.dir, *err)
	}
	if _, err := s.Progress(ctx); err != nil {
		return fmt.Errorf("rollup store %q: %w", s.dir, err)
	}
	return nil
}

// sureLog is a file system on which the log can be written, or the process ends. Pebble panics
// where it can't make, write or close a file of its log, on whatever goroutine it finds that, and a
// stack is no message for an operator. Other files are made again, or not missed, when a disk has
// room again.
type sureLog struct {
	vfs.FS
	fatal func(error) // does not return
}

func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

// sure calls fatal with an error about a file of the log.
func (f *sureLog) sure(name string, err error) {
	if err != nil && isLog(name) {
		f.fatal(err)
	}
}

func (f *sureLog) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	return f.wrap(name, file, err)
}

func (f *sureLog) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(oldname, newname, c)
	if errors.Is(err, fs.ErrNotExist) { // Pebble makes a new one then
		return file, err
	}
	return f.wrap(newname, file, err)
}

func (f *sureLog) wrap(name string, file vfs.File, err error) (vfs.File, error) {
	if f.sure(name, err); err != nil || !isLog(name) {
		return file, err
	}
	return &sureFile{File: file, fs: f, name: name}, nil
}

// Unwrap is what Pebble looks for a crashable file system behind.
func (f *sureLog) Unwrap() vfs.FS { return f.FS }

// sureFile is a file of the log.
type sureFile struct {
	vfs.File
	fs   *sureLog
	name string
}

func (f *sureFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.fs.sure(f.name, err)
	return n, err
}

func (f *sureFile) Sync() error {
	err := f.File.Sync()
	f.fs.sure(f.name, err)
	return err
}

func (f *sureFile) SyncData() error {
	err := f.File.SyncData()
	f.fs.sure(f.name, err)
	return err
}

func (f *sureFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	f.fs.sure(f.name, err)
	return full, err
}

func (f *sureFile) Close() error {
	err := f.File.Close()
	f.fs.sure(f.name, err)
	return err
}

// goneOr adds ErrGone to an error whose reason is that the folder is not there.
func goneOr(err error, dir string) error {
	if _, serr := os.Stat(dir); errors.Is(serr, fs.ErrNotExist) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w (%w)", ErrGone, err)
	}
	return err
}
