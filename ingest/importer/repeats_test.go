package importer

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestRepeats: the repeated lines are found wherever they are, in memory or not.
func TestRepeats(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, most := range []int{1 << 20, 64} {
		r := newRepeats()
		r.most = most
		for i := range 1000 {
			line := strconv.Itoa(i)
			if i >= 900 {
				line = strconv.Itoa((i - 900) / 2 * 7) // 0, 7, …, 343 twice more
			}
			if err := r.add([]byte(line)); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.find(); err != nil || len(r.found) != 50 || (r.file != nil) != (most == 64) {
			t.Errorf("most %d: %d found, %v", most, len(r.found), err)
		}
		rank := r.ranker()
		for i := range int64(3) {
			if got := rank([]byte("7")); got != i {
				t.Errorf("rank %d, want %d", got, i)
			}
			if got := rank([]byte("8")); got != 0 {
				t.Errorf("rank of a line that is there once: %d", got)
			}
		}
		if err := r.close(); err != nil {
			t.Error(err)
		}
		r.mostFound = 49
		r.hashes = nil
		for range 2 {
			for i := range 50 {
				r.hashes = append(r.hashes, uint64(i))
			}
		}
		if err := r.sort(); !errors.Is(err, errRepeated) {
			t.Errorf("50 repeated lines where 49 may be: %v", err)
		}
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v %v", left, err)
	}
}

// TestOtherForms: what is no text in UTF-8 is named, before anything is imported; a byte order mark is none of the text.
func TestOtherForms(t *testing.T) {
	f := func(content, want string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), path, Combined, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", content, err, want)
		}
	}
	f("\xff\xfe1\x009\x002\x00", "is in UTF-16: convert it")
	f("\xfe\xff\x001\x009", "is in UTF-16: convert it")
	f("BZh91AY", "is packed with bzip2: unpack it")
	f("\xfd7zXZ\x00\x00", "is packed with xz")
	f("\x28\xb5\x2f\xfd\x00", "is packed with zstd")
	f("PK\x03\x04\x14", "is packed with zip")
	f(string(pack(t, string(pack(t, log)))), "is packed with gzip twice")

	const bom = "\ufeff"
	plain, marked := mustFile(t, "e", Events, []byte(ndjson)), mustFile(t, "e", Events, []byte(bom+ndjson))
	_, want, _ := read(t, plain, "")
	if _, got, _ := read(t, marked, ""); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("a byte order mark changes events: %q, want %q", got, want)
	}
}

// TestGrowing: of a log that its server is writing, what was there at first is imported.
func TestGrowing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(t.Context(), path, Combined, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.WriteFile(path, bytes.Repeat([]byte(log), 3), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ids, _ := read(t, f, "a.example"); len(ids) != 2 {
		t.Errorf("%d events of a file that had 2", len(ids))
	}
}
