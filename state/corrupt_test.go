package state

import (
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/engine/wire"
)

// filled returns a disk with a state of several files, closed.
func filled(tb testing.TB) *vfs.MemFS {
	fs := vfs.NewMem()
	s := mustOpen(tb, small(fs))
	if err := newScript(tb, 1, 60, 50).run(s); err != nil {
		tb.Fatal(err)
	}
	mustClose(tb, s)
	// A tail in a file of its own, and a log that was not closed: what a crash leaves.
	s = mustOpen(tb, small(fs))
	last := s.Last()
	for i := range int64(20) {
		mustApply(tb, s, mk(last+i, last+i+1, add("a", 0, "/x")))
	}
	if err := s.Sync(); err != nil {
		tb.Fatal(err)
	}
	c := clone(tb, fs)
	mustClose(tb, s)
	return c
}

func clone(tb testing.TB, fs vfs.FS) *vfs.MemFS {
	tb.Helper()
	c := vfs.NewMem()
	if _, err := vfs.Clone(fs, c, "state", "state"); err != nil {
		tb.Fatal(err)
	}
	return c
}

func readFile(tb testing.TB, fs vfs.FS, name string) []byte {
	tb.Helper()
	f, err := fs.Open(name)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func writeFile(tb testing.TB, fs vfs.FS, name string, b []byte) {
	tb.Helper()
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
}

// readAll opens a state and reads everything in it, as the engine does at its start.
func readAll(fs vfs.FS) error {
	s, err := Open(small(fs))
	if err != nil {
		return err
	}
	type id struct {
		kind  window.Kind
		site  string
		start event.Time
	}
	var ids []id
	err = s.Windows(func(k window.Kind, site string, start event.Time, _ window.Status) error {
		ids = append(ids, id{k, strings.Clone(site), start})
		return nil
	})
	for _, i := range ids {
		if _, ferr := s.Fold(i.kind, i.site, i.start, window.NewAgg(0)); ferr != nil {
			err = errors.Join(err, ferr)
		}
	}
	return errors.Join(err, s.Close())
}

// A file of the folder is damaged: the answer is ErrCorrupt with its hint, or, where Pebble can
// tell that only the unsynced end of a log is missing, the state after some delta. Never a panic,
// and never any other error.
func TestDamagedFile(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	damages := map[string]func([]byte) []byte{
		"empty":   func([]byte) []byte { return nil },
		"half":    func(b []byte) []byte { return b[:len(b)/2] },
		"zeros":   func(b []byte) []byte { return make([]byte, len(b)) },
		"garbage": func(b []byte) []byte { return noise(rng, len(b)) },
		"a flipped byte": func(b []byte) []byte {
			if len(b) > 0 {
				b[len(b)/3] ^= 0x55
			}
			return b
		},
		"garbage behind": func(b []byte) []byte { return append(b, noise(rng, 100)...) },
	}
	disk := filled(t)
	names, err := disk.List("state")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	for _, name := range names {
		if name == "LOCK" {
			continue
		}
		for what, damage := range damages {
			fs := clone(t, disk)
			path := fs.PathJoin("state", name)
			writeFile(t, fs, path, damage(readFile(t, fs, path)))
			err := readAll(fs)
			if err == nil {
				continue
			}
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "delete the folder") || !strings.Contains(err.Error(), `"state"`) {
				t.Errorf("%s of %s: %v", what, name, err)
			}
			told[kindOf(name)]++
		}
	}
	t.Log(told)
	for _, k := range []string{"MANIFEST", "sst"} {
		if told[k] == 0 {
			t.Errorf("no damage of a %s file was noticed", k)
		}
	}
}

func noise(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func kindOf(name string) string {
	if _, ext, ok := strings.Cut(name, "."); ok && ext == "sst" {
		return ext
	}
	kind, _, _ := strings.Cut(name, "-")
	return kind
}

// A file is gone.
func TestMissingFile(t *testing.T) {
	disk := filled(t)
	names, err := disk.List("state")
	if err != nil {
		t.Fatal(err)
	}
	noticed := map[string]int{}
	for _, name := range names {
		fs := clone(t, disk)
		if err := fs.Remove(fs.PathJoin("state", name)); err != nil {
			t.Fatal(err)
		}
		err := readAll(fs)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("without %s: %v", name, err)
		}
		if err != nil {
			noticed[kindOf(name)]++
		}
	}
	if noticed["MANIFEST"] != 1 || noticed["sst"] == 0 { // an old manifest is of no use
		t.Errorf("noticed %v", noticed)
	}
}

// The folder is of another version of Millrace, or of another program.
func TestForeignFolder(t *testing.T) {
	g := func(sentinel error, what string, o *pebble.Options, write func(*pebble.DB) error) {
		t.Helper()
		fs := vfs.NewMem()
		o.FS = fs
		o.Logger = quiet{}
		db, err := pebble.Open("state", o)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(write(db), db.Close()); err != nil {
			t.Fatal(err)
		}
		if err := readAll(fs); !errors.Is(err, sentinel) {
			t.Errorf("%s: %v", what, err)
		}
	}
	f := func(what string, o *pebble.Options, write func(*pebble.DB) error) {
		t.Helper()
		g(ErrCorrupt, what, o, write)
	}
	ours := func() *pebble.Options {
		return &pebble.Options{FormatMajorVersion: pebble.FormatNewest, Merger: &pebble.Merger{Name: "millrace.window.v1"}}
	}
	g(wire.ErrNewer, "next format", ours(), func(db *pebble.DB) error { return db.Set(keyFormat, []byte{formatVersion + 1}, nil) })
	f("format before", ours(), func(db *pebble.DB) error { return db.Set(keyFormat, []byte{formatVersion - 1}, nil) })
	f("no format", ours(), func(db *pebble.DB) error { return db.Set(keyFormat, nil, nil) })
	f("short meta", ours(), func(db *pebble.DB) error {
		return errors.Join(db.Set(keyFormat, []byte{formatVersion}, nil), db.Set(keyMeta, make([]byte, metaHead-1), nil))
	})
	f("outbox", ours(), func(db *pebble.DB) error {
		return errors.Join(db.Set(keyFormat, []byte{formatVersion}, nil), db.Set(appendOffsetKey(nil, prefixOutbox, 7), []byte("x"), nil))
	})
	f("other merger", &pebble.Options{FormatMajorVersion: pebble.FormatNewest}, func(db *pebble.DB) error { return nil })
}
