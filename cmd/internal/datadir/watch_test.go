package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWatch(t *testing.T) {
	f := func(spoil func(root string) error, gone string) {
		t.Helper()
		root := filepath.Join(t.TempDir(), "broker")
		part := filepath.Join(root, "partitions", "events-0")
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		var w Watch
		must(w.Look(root)) // not there yet
		must(os.MkdirAll(part, 0o700))
		for _, name := range []string{"0.dat", "7.dat"} {
			must(os.WriteFile(filepath.Join(part, name), nil, 0o600))
		}
		must(w.Look(root))
		must(w.Look(root))
		must(os.Remove(filepath.Join(part, "0.dat"))) // as retention does
		must(w.Look(root))
		must(os.WriteFile(filepath.Join(part, "9.dat"), nil, 0o600))
		must(spoil(root))
		err := w.Look(root)
		if gone == "" && err != nil || gone != "" && (!errors.Is(err, ErrGone) || !strings.Contains(err.Error(), gone)) {
			t.Errorf("%v, want %q", err, gone)
		}
	}
	f(func(string) error { return nil }, "")
	f(os.RemoveAll, "broker")
	f(func(root string) error { return os.Rename(root, root+".old") }, "broker")
	f(func(root string) error { return os.RemoveAll(filepath.Join(root, "partitions", "events-0")) }, "events-0")
	f(func(root string) error {
		return errors.Join(os.Rename(root, root+".old"), os.CopyFS(root, os.DirFS(root+".old"))) // made anew
	}, "/")
	f(func(root string) error {
		return errors.Join(os.Remove(filepath.Join(root, "partitions", "events-0", "7.dat")), os.Remove(filepath.Join(root, "partitions", "events-0", "9.dat")))
	}, "events-0")
}
