package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Write makes or replaces the file at path. A new file gets the permissions perm.
func Write(path string, data []byte, perm fs.FileMode) error {
	return write(system{}, path, data, perm)
}

// Fill writes data to a new file, syncs and closes it.
func Fill(f *os.File, data []byte) error { return fill(f, data) }

// Move renames a filled temporary file to path, in place of what is there, and syncs the folder. If
// the rename fails, tmp is removed. Both have to be on one file system.
func Move(tmp, path string) error { return move(system{}, tmp, path) }

// SyncDir syncs a folder in which a file was made.
func SyncDir(path string) error { return syncDir(system{}, path) }

// MkdirAll makes a folder and those it is in, as os.MkdirAll does, and syncs the parent of each one
// made: else a power loss could take a folder away, and a synced file with it.
func MkdirAll(dir string, perm fs.FileMode) error {
	err := os.Mkdir(dir, perm)
	switch {
	case err == nil:
		return syncDir(system{}, filepath.Dir(dir))
	case errors.Is(err, fs.ErrExist):
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%q is not a directory", dir)
		}
		return err
	case errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir:
		if err := MkdirAll(filepath.Dir(dir), perm); err != nil {
			return err
		}
		return MkdirAll(dir, perm)
	default:
		return err
	}
}

// file is what is needed of a file or an open folder.
type file interface {
	io.WriteCloser
	Sync() error
}

// disk is what is needed of the file system; the test's forgets what was not synced.
type disk interface {
	create(path string, perm fs.FileMode) (file, error)
	rename(from, to string) error
	remove(path string) error
	openDir(path string) (file, error)
}

// system is the disk of the operating system.
type system struct{}

func (system) create(path string, perm fs.FileMode) (file, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, perm)
}

func (system) rename(from, to string) error { return os.Rename(from, to) }

func (system) remove(path string) error { return os.Remove(path) }

// openDir is Pebble's, whose folders know which systems sync none.
func (system) openDir(path string) (file, error) { return vfs.Default.OpenDir(path) }

func write(d disk, path string, data []byte, perm fs.FileMode) error {
	tmp := path + ".tmp"
	f, err := d.create(tmp, perm)
	if err != nil {
		return err
	}
	if err := fill(f, data); err != nil {
		return errors.Join(err, d.remove(tmp))
	}
	return move(d, tmp, path)
}

func fill(f file, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func move(d disk, tmp, path string) error {
	if err := d.rename(tmp, path); err != nil {
		return errors.Join(err, d.remove(tmp))
	}
	return syncDir(d, filepath.Dir(path))
}

func syncDir(d disk, path string) error {
	f, err := d.openDir(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
