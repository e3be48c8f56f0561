package state

import (
	stderrors "errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestPebbleErrors: what Pebble calls of internal/pebbleerrors, which go.mod puts in the place of
// another module. Texts are those of that module.
func TestPebbleErrors(t *testing.T) {
	t.Parallel()
	f := func(err error, want, more string, is ...error) {
		t.Helper()
		if err == nil || err.Error() != want || fmt.Sprintf("%v", err) != want || fmt.Sprintf("%s", err) != want || fmt.Sprintf("%+v", err) != want+more {
			t.Errorf("%q, %%+v %q; want %q and %q", err, fmt.Sprintf("%+v", err), want, more)
		}
		for _, target := range is {
			if !errors.Is(err, target) || !stderrors.Is(err, target) {
				t.Errorf("%q is not %q", err, target)
			}
		}
		if errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%q is anything", err)
		}
	}
	f(errors.New("a %d"), "a %d", "")
	f(errors.Newf("a %d %s", 1, errors.Safe("b")), "a 1 b", "")
	f(errors.Errorf("a: %w", io.EOF), "a: EOF", "", io.EOF)
	f(errors.AssertionFailedf("a %v", []int{1}), "a [1]", "")
	f(errors.Wrap(io.EOF, "100%"), "100%: EOF", "", io.EOF)
	f(errors.Wrapf(io.EOF, "%d", 7), "7: EOF", "", io.EOF)
	f(errors.WithStack(io.EOF), "EOF", "", io.EOF)
	f(errors.Wrap(errors.WithHintf(errors.WithDetailf(io.EOF, "one %d", 1), "two"), "a"), "a: EOF", "\ntwo\none 1", io.EOF)
	f(errors.WithSafeDetails(io.EOF, "%x", 255), "EOF", "\nff", io.EOF)
	f(errors.CombineErrors(io.EOF, fs.ErrClosed), "EOF", "\nand: file already closed", io.EOF)
	f(errors.CombineErrors(nil, io.EOF), "EOF", "", io.EOF)
	f(errors.CombineErrors(io.EOF, nil), "EOF", "", io.EOF)
	f(errors.Mark(errors.Wrap(io.EOF, "a"), pebble.ErrCorruption), "a: EOF", "", io.EOF, pebble.ErrCorruption)
	f(errors.Join(io.EOF, nil, fs.ErrClosed), "EOF\nfile already closed", "", io.EOF, fs.ErrClosed)
	for i, err := range []error{
		errors.Wrap(nil, "a"), errors.Wrapf(nil, "a"), errors.WithStack(nil), errors.WithDetailf(nil, "a"), errors.WithHintf(nil, "a"),
		errors.WithSafeDetails(nil, "a"), errors.WithSecondaryError(nil, io.EOF), errors.CombineErrors(nil, nil), errors.Mark(nil, io.EOF), errors.Join(nil),
	} {
		if err != nil {
			t.Errorf("%d: %v of no error", i, err)
		}
	}
	_, err := os.Open("there is no such file")
	err = errors.Wrap(err, "a")
	if !oserror.IsNotExist(err) || oserror.IsExist(err) || oserror.IsPermission(err) || errors.UnwrapAll(err) != syscall.ENOENT {
		t.Errorf("%v: %#v", err, errors.UnwrapAll(err))
	}
	var path *fs.PathError
	if !errors.As(err, &path) {
		t.Errorf("%v is no error of a path", err)
	}
}

// TestCorruption: what Pebble finds damaged is an error that says so.
func TestCorruption(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	o := &pebble.Options{FS: mem, Logger: quiet{pebble.DefaultLogger}}
	db, err := pebble.Open("", o)
	if err != nil {
		t.Fatal(err)
	}
	if err := stderrors.Join(db.Set([]byte("a"), []byte("b"), pebble.Sync), db.Flush(), db.Close()); err != nil {
		t.Fatal(err)
	}
	names, err := mem.List("")
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for _, name := range names {
		if len(name) < 8 || name[:8] != "MANIFEST" {
			continue
		}
		file, err := mem.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = file.WriteAt([]byte("no manifest, but a text in its place"), 7); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		damaged++
	}
	if damaged == 0 {
		t.Fatalf("no manifest among %q", names)
	}
	if db, err = pebble.Open("", o); err == nil {
		db.Close()
		t.Fatal("a damaged store opens")
	}
	if !pebble.IsCorruptionError(err) || !stderrors.Is(err, pebble.ErrCorruption) {
		t.Errorf("%+v is no corruption", err)
	}
}
