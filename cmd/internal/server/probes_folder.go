package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"millrace/cmd/internal/check"
	"millrace/internal/lockfile"
)

// leastFree is the free space of a data folder below which to warn: less than the default of
// --spool-max.
const leastFree = 1 << 30

// folderProbe tries whether the data folder can be written, or made.
func (o *Options) folderProbe() check.Probe {
	return check.Probe{Name: "data folder", Run: func(context.Context) (string, error) {
		abs, err := filepath.Abs(o.Data)
		if err != nil {
			return "", err
		}
		at := abs
		info, err := os.Stat(at)
		for errors.Is(err, fs.ErrNotExist) && filepath.Dir(at) != at {
			at = filepath.Dir(at)
			info, err = os.Stat(at)
		}
		if err != nil {
			return "", err
		}
		if !info.IsDir() {
			return "", fmt.Errorf("%s is no folder: name another with --data", at)
		}
		tmp, err := os.CreateTemp(at, ".check-*")
		if err != nil {
			return "", fmt.Errorf("%s can't be written: let the user of serve write there, or name another with --data: %w", at, err)
		}
		if err := errors.Join(tmp.Close(), os.Remove(tmp.Name())); err != nil {
			return "", err
		}
		found := abs + " can be written"
		if at != abs {
			found = abs + " can be made"
		} else if inUse(abs) {
			found = abs + " is in use by another millrace process"
		}
		free, known := freeSpace(at)
		switch {
		case !known:
			return found, nil
		case free < leastFree:
			return "", check.Warning(fmt.Sprintf("%s, with %d MB free: the spool alone may take 1 GB", found, free/1e6))
		}
		return fmt.Sprintf("%s, %.1f GB free", found, float64(free)/1e9), nil
	}}
}

// inUse reports whether a process holds the lock of a folder.
func inUse(dir string) bool {
	path := filepath.Join(dir, "lock")
	if _, err := os.Stat(path); err != nil {
		return false // and is not made
	}
	lock, err := lockfile.Open(path)
	if err == nil {
		lock.Close()
	}
	return errors.Is(err, lockfile.ErrHeld)
}
