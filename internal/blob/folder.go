package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"millrace/internal/atomicfile"
	"millrace/internal/smallfile"
)

// tempDir is where objects are written if there is no other way: in the folder. Its name starts
// with a dot, which no key may, so that no listing shows it.
const tempDir = ".tmp"

// besideDir is where objects are written: beside the folder, because polars reads whatever is in
// it, half of a file with a dot too. A rename out of it has to stay on one file system; where the
// folder is a mount, or what it is in can't be written to, tempDir takes its place.
func besideDir(root string) string {
	return filepath.Join(filepath.Dir(root), "."+filepath.Base(root)+".tmp")
}

// tempAge is the age past which a temporary file is taken for one that a crash left behind. Another
// process may be writing younger ones; none takes an hour for one object.
const tempAge = time.Hour

// Folder is a Store in a directory of the local file system.
type Folder struct {
	root string

	mu   sync.Mutex // guards temp
	temp string     // where temporary files are made; "" before the first
}

var _ Store = (*Folder)(nil)

// OpenFolder opens the folder at path, creates it if it is not there, and removes temporary files
// that a crash left behind.
func OpenFolder(path string) (*Folder, error) {
	root, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open folder %q: %w", path, err)
	}
	f := &Folder{root: root}
	if err := mkdirAll(root); err != nil {
		return nil, fmt.Errorf("open folder %q: %w", path, err)
	}
	before := time.Now().Add(-tempAge)
	for _, dir := range []string{filepath.Join(root, tempDir), besideDir(root)} {
		if err := removeLeftovers(dir, before); err != nil {
			return nil, fmt.Errorf("open folder %q: %w", path, err)
		}
	}
	return f, nil
}

func (f *Folder) String() string { return "folder " + f.root }

func removeLeftovers(dir string, before time.Time) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil // there is none
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // its writer renamed it
		}
		if err != nil {
			return err
		}
		if info.ModTime().Before(before) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// Put writes a temporary file, syncs it, renames it to its name and syncs the directory: after each
// of these steps a crash leaves the old object or the new one.
func (f *Folder) Put(ctx context.Context, key string, body []byte) error {
	if err := f.begin(ctx, key); err != nil {
		return f.wrap("put", key, err)
	}
	return f.wrap("put", key, f.put(f.path(key), body))
}

func (f *Folder) put(path string, body []byte) error {
	tmp, err := f.writeTemp(body)
	if err == nil {
		err = mkdirAll(filepath.Dir(path))
	}
	if err == nil {
		return atomicfile.Move(tmp, path)
	}
	if tmp != "" {
		err = errors.Join(err, os.Remove(tmp))
	}
	return err
}

// createTemp makes a temporary file, and the folder anew if it was removed since it was opened.
func (f *Folder) createTemp(pattern string) (*os.File, error) {
	dir, err := f.tempPlace()
	if err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp(dir, pattern)
	if !errors.Is(err, fs.ErrNotExist) {
		return tmp, err
	}
	if err := mkdirAll(dir); err != nil {
		return nil, fmt.Errorf("make the folder again that was removed: %w", err)
	}
	return os.CreateTemp(dir, pattern)
}

// tempPlace returns where temporary files are made, and finds out at the first time: reading makes
// nothing.
func (f *Folder) tempPlace() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.temp != "" {
		return f.temp, nil
	}
	inside := filepath.Join(f.root, tempDir)
	if beside := besideDir(f.root); canRename(beside, f.root) {
		f.temp = beside
		_ = os.Remove(inside) // of a build before, if it is empty
		return beside, nil
	}
	if err := mkdirAll(inside); err != nil {
		return "", err
	}
	f.temp = inside
	return inside, nil
}

// canRename reports whether a file can be made in one directory, which is made, and renamed into
// another. It leaves nothing but the directory, and not that if it can't be used.
func canRename(from, to string) bool {
	if filepath.Dir(to) == to || mkdirAll(from) != nil || mkdirAll(to) != nil {
		return false
	}
	file, err := os.CreateTemp(from, "check-*") // empty, which no reader minds
	if err != nil {
		return false
	}
	file.Close()
	moved := filepath.Join(to, "."+filepath.Base(file.Name()))
	if err := os.Rename(file.Name(), moved); err != nil {
		os.Remove(file.Name())
		os.Remove(from)
		return false
	}
	return os.Remove(moved) == nil
}

// writeTemp writes a synced temporary file and returns its path, which is "" if there is no file to
// remove.
func (f *Folder) writeTemp(body []byte) (string, error) {
	tmp, err := f.createTemp("put-*")
	if err != nil {
		return "", err
	}
	// CreateTemp makes it private; other readers of the lake are wanted.
	if err := tmp.Chmod(0o644); err != nil {
		return tmp.Name(), errors.Join(err, tmp.Close())
	}
	return tmp.Name(), atomicfile.Fill(tmp, body)
}

// Get reads a whole object.
func (f *Folder) Get(ctx context.Context, key string) ([]byte, error) {
	if err := f.begin(ctx, key); err != nil {
		return nil, f.wrap("get", key, err)
	}
	body, err := smallfile.Read(f.path(key), math.MaxInt64-1)
	return body, f.wrap("get", key, err)
}

// Open opens an object's file.
func (f *Folder) Open(ctx context.Context, key string) (Object, error) {
	if err := f.begin(ctx, key); err != nil {
		return nil, f.wrap("open", key, err)
	}
	file, err := smallfile.Open(f.path(key))
	if err != nil {
		return nil, f.wrap("open", key, err)
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fs.ErrNotExist // S3 knows no directories
	}
	if err != nil {
		file.Close()
		return nil, f.wrap("open", key, err)
	}
	return &folderObject{File: file, size: info.Size()}, nil
}

type folderObject struct {
	*os.File
	size int64
}

func (o *folderObject) Size() int64 { return o.size }

// Delete removes an object's file; the directories above it stay.
func (f *Folder) Delete(ctx context.Context, key string) error {
	if err := f.begin(ctx, key); err != nil {
		return f.wrap("delete", key, err)
	}
	err := os.Remove(f.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return f.wrap("delete", key, err)
}

// Check reports whether the folder can be read and written.
func (f *Folder) Check(ctx context.Context) error {
	tmp, err := f.createTemp("check-*")
	if err != nil {
		return fmt.Errorf("check %s: %w", f, err)
	}
	return errors.Join(tmp.Close(), os.Remove(tmp.Name()))
}

// List walks the folder. The order of a directory's names alone would not do: "a-b" sorts before
// the objects below "a/", so that a directory is compared with its slash.
func (f *Folder) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		f.walk(ctx, "", prefix, after, yield)
	}
}

// walk yields the objects below the directory dir ("" or a path that ends in a slash) and reports
// whether to go on.
func (f *Folder) walk(ctx context.Context, dir, prefix, after string, yield func(Info, error) bool) bool {
	if err := ctx.Err(); err != nil {
		yield(Info{}, f.wrap("list", prefix, err))
		return false
	}
	entries, err := os.ReadDir(filepath.Join(f.root, filepath.FromSlash(dir)))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		yield(Info{}, f.wrap("list", prefix, err))
		return false
	}
	keys := make([]string, 0, len(entries))
	infos := make(map[string]fs.DirEntry, len(entries))
	for _, e := range entries {
		key := dir + e.Name()
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if e.IsDir() {
			key += "/"
		}
		keys = append(keys, key)
		infos[key] = e
	}
	sort.Strings(keys)
	for _, key := range keys {
		if !f.visit(ctx, key, infos[key], prefix, after, yield) {
			return false
		}
	}
	return true
}

func (f *Folder) visit(ctx context.Context, key string, e fs.DirEntry, prefix, after string, yield func(Info, error) bool) bool {
	if e.IsDir() {
		// Go down only where a match can lie: the shorter of key and prefix starts the longer one,
		// and the directory is not wholly before after.
		if !strings.HasPrefix(key, prefix) && !strings.HasPrefix(prefix, key) {
			return true
		}
		if after > key && !strings.HasPrefix(after, key) {
			return true
		}
		return f.walk(ctx, key, prefix, after, yield)
	}
	if !strings.HasPrefix(key, prefix) || key <= after {
		return true
	}
	info, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return true // deleted meanwhile
	}
	if err != nil {
		yield(Info{}, f.wrap("list", key, err))
		return false
	}
	return yield(Info{Key: key, Size: info.Size()}, nil)
}

func (f *Folder) begin(ctx context.Context, key string) error {
	if err := ValidKey(key); err != nil {
		return err
	}
	return ctx.Err()
}

func (f *Folder) path(key string) string { return filepath.Join(f.root, filepath.FromSlash(key)) }

func (f *Folder) wrap(verb, key string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s %q in %s: %w", verb, key, f, ErrNotFound)
	default:
		return fmt.Errorf("%s %q in %s: %w", verb, key, f, err)
	}
}

// mkdirAll makes a folder that others may read, like the objects in it.
func mkdirAll(dir string) error { return atomicfile.MkdirAll(dir, 0o755) }
