package local

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestLogOrEnd: what fails about a file of Pebble's log ends the process with an error, before
// Pebble panics; other files are Pebble's to retry.
func TestLogOrEnd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "rollups")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var ended error
	l := newLogger(testLogger(t), func(err error) { ended = err }, dir)
	f := &sureLog{vfs.Default, l.end}
	file, err := f.Create(filepath.Join(dir, "000001.log"), vfs.WriteCategoryUnspecified)
	if err != nil || ended != nil {
		t.Fatal(err, ended)
	}
	if _, err := file.Write([]byte("x")); err != nil || ended != nil {
		t.Fatal(err, ended)
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil || ended != nil {
		t.Fatal(err, ended)
	}
	if file.Close(); ended == nil || errors.Is(ended, ErrGone) {
		t.Errorf("closed twice: %v", ended)
	}
	ended = nil
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Create(filepath.Join(dir, "000002.sst"), vfs.WriteCategoryUnspecified); !errors.Is(err, fs.ErrNotExist) || ended != nil {
		t.Errorf("a table: %v, %v", err, ended)
	}
	if _, err := f.Create(filepath.Join(dir, "000003.log"), vfs.WriteCategoryUnspecified); !errors.Is(err, fs.ErrNotExist) || !errors.Is(ended, ErrGone) {
		t.Errorf("the log: %v, %v, want ErrGone", err, ended)
	}
	ended = nil
	if l.Fatalf("no table 7\n000001.sst\n000002.sst"); !errors.Is(ended, ErrGone) {
		t.Errorf("%v, want ErrGone", ended)
	}
}
