package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrGone: a folder is not there any more, or is another one. Files that are open in it go on being written, and nothing
// finds them again.
var ErrGone = errors.New("removed, emptied or moved away while it was in use")

// Watch notices when folders that are in use are removed, moved away, made anew or emptied. The zero value is ready. It is
// for one goroutine at a time.
type Watch struct {
	folders map[string]*watched
}

// watched is a folder that was there.
type watched struct {
	info os.FileInfo
	// file is one of its files, if it has one. As long as that is there the others are not listed.
	file string
}

// Look compares the folders below roots, which may be two levels deep, with what it saw before. The error wraps ErrGone and
// names what is gone. A root that has never been there is no finding.
func (w *Watch) Look(roots ...string) error {
	if w.folders == nil {
		w.folders = map[string]*watched{}
	}
	for path, f := range w.folders {
		if err := f.still(path); err != nil {
			return err
		}
	}
	for _, root := range roots {
		if err := w.add(root, 2); err != nil {
			return err
		}
	}
	return nil
}

// add remembers a folder and those below it, depth levels deep.
func (w *Watch) add(path string, depth int) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the data folder: %w", err)
	}
	if w.folders[path] == nil {
		info, err := os.Stat(path)
		if err != nil {
			return nil // the next look finds out
		}
		w.folders[path] = &watched{info: info}
	}
	for _, e := range entries {
		if e.IsDir() && depth > 0 {
			if err := w.add(filepath.Join(path, e.Name()), depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}

// still returns ErrGone if the folder is another one, or had files and has none.
func (f *watched) still(path string) error {
	now, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(now, f.info) {
		return fmt.Errorf("folder %s was %w", path, ErrGone)
	}
	if err != nil {
		return fmt.Errorf("look at the data folder: %w", err)
	}
	if f.file != "" {
		if _, err := os.Lstat(filepath.Join(path, f.file)); err == nil {
			return nil
		}
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("look at the data folder: %w", err)
	}
	had := f.file != ""
	f.file = ""
	for _, e := range entries {
		if !e.IsDir() {
			f.file = e.Name()
		}
	}
	if had && f.file == "" {
		return fmt.Errorf("folder %s was %w", path, ErrGone)
	}
	return nil
}
