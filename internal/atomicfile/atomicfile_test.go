package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// crashing is a disk that takes a copy of itself, as a crash would leave it, after each step.
type crashing struct {
	fs    *vfs.MemFS
	keeps []*vfs.MemFS // one for each step, with nothing that was not synced
	some  []*vfs.MemFS // the same with half of that
}

func (c *crashing) step() {
	c.keeps = append(c.keeps, c.fs.CrashClone(vfs.CrashCloneCfg{}))
	c.some = append(c.some, c.fs.CrashClone(vfs.CrashCloneCfg{
		UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(1, uint64(len(c.some)))),
	}))
}

func (c *crashing) open(f vfs.File, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	c.step()
	return stepFile{f, c}, nil
}

func (c *crashing) create(path string, _ fs.FileMode) (file, error) {
	return c.open(c.fs.Create(path, vfs.WriteCategoryUnspecified))
}

func (c *crashing) openDir(path string) (file, error) { return c.open(c.fs.OpenDir(path)) }

func (c *crashing) rename(from, to string) error {
	defer c.step()
	return c.fs.Rename(from, to)
}

func (c *crashing) remove(path string) error { return c.fs.Remove(path) }

type stepFile struct {
	vfs.File
	disk *crashing
}

func (f stepFile) Write(p []byte) (int, error) {
	defer f.disk.step()
	return f.File.Write(p)
}

func (f stepFile) Sync() error {
	defer f.disk.step()
	return f.File.Sync()
}

func contentOf(t *testing.T, disk *vfs.MemFS, path string) string {
	t.Helper()
	f, err := disk.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "none"
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestCrash: a crash after any step leaves the old content or the new, and after the last one the
// new. Without one of the two syncs this fails.
func TestCrash(t *testing.T) {
	before := "none"
	c := &crashing{fs: vfs.NewCrashableMem()}
	for _, content := range []string{strings.Repeat("old ", 5000), strings.Repeat("new ", 9000)} {
		c.keeps, c.some = nil, nil
		if err := write(c, "a", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if len(c.keeps) != 6 { // create, write, sync, rename, open the folder, sync
			t.Fatalf("%d steps", len(c.keeps))
		}
		for i := range c.keeps {
			for _, disk := range []*vfs.MemFS{c.keeps[i], c.some[i]} {
				if got := contentOf(t, disk, "a"); got != before && got != content {
					t.Errorf("a crash after step %d leaves %d bytes, %.20q", i+1, len(got), got)
				}
			}
		}
		if got := contentOf(t, c.keeps[len(c.keeps)-1], "a"); got != content {
			t.Errorf("a crash after the end leaves %.20q", got)
		}
		before = content
	}
}

// failing is the real disk with one step that fails.
type failing struct {
	system
	sync, rename_ error
}

func (d failing) create(path string, perm fs.FileMode) (file, error) {
	f, err := d.system.create(path, perm)
	return failingFile{f, d.sync}, err
}

func (d failing) rename(from, to string) error {
	if d.rename_ != nil {
		return d.rename_
	}
	return d.system.rename(from, to)
}

type failingFile struct {
	file
	sync error
}

func (f failingFile) Sync() error { return errors.Join(f.sync, f.file.Sync()) }

// TestFailed: what fails leaves the old file and no temporary one.
func TestFailed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	f := func(d failing, want error, content string) {
		t.Helper()
		if err := write(d, path, []byte(content), 0o600); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
			t.Errorf("%q, %v", got, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("%v, %v", entries, err)
		}
	}
	f(failing{}, nil, "old")
	f(failing{sync: syscall.ENOSPC}, syscall.ENOSPC, "new")
	f(failing{rename_: syscall.EACCES}, syscall.EACCES, "new")
	if err := Write(filepath.Join(dir, "none", "a"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestWrite: permissions are those of the call; a longer temporary file of a crash leaves nothing.
func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path+".tmp", []byte("longer, and cut short by a crash"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() != 4 || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestMkdirAll(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		if err := MkdirAll(filepath.Join(dir, "a", "b", "c"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MkdirAll(filepath.Join(dir, "file"), 0o755); err == nil {
		t.Error("a file is taken for a folder")
	}
	if err := MkdirAll(filepath.Join(dir, "file", "a"), 0o755); err == nil {
		t.Error("a folder is made in a file")
	}
}
