package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
)

var writeRelease = flag.Bool("write-release", false, "write testdata/release anew: the data folder that the release before is to have left")

// releaseFolder is a data folder as the release before has left it, with all that a serve of one
// machine stores: log, offsets, state, changelog, rollups, archive with progress, rules and notes,
// salts, and the identity of the log. It is made anew, by -write-release, when a release is made, and
// is then the release before for what comes after it. Beside it are the numbers that it holds.
const (
	releaseFolder  = "testdata/release/data.tar.gz"
	releaseNumbers = "testdata/release/points.json"
	releaseEvents  = 20
)

// TestReleaseBefore: what the release before has stored is served by this one with the same numbers,
// takes new events, and is, counted again from the archive, what it was.
func TestReleaseBefore(t *testing.T) {
	t.Parallel()
	if *writeRelease {
		at := localPlace(t)
		servePast(t, at, releaseEvents).mustStop(t)
		packFolder(t, releaseFolder, at.data)
		text, err := json.MarshalIndent(at.dump(t, event.TimeOf(time.Now())), "", " ")
		if err == nil {
			err = os.WriteFile(releaseNumbers, text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	at := place{data: filepath.Join(t.TempDir(), "data")}
	if made := unpackFolder(t, at.data, releaseFolder); time.Now().Before(made) {
		t.Skipf("the clock stands before %s, when the folder was left", made)
	}
	want := map[string]string{}
	text, err := os.ReadFile(releaseNumbers)
	if err == nil {
		err = json.Unmarshal(text, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := mustServe(t, at, backupFlags...)
	mustBeacon(t, s, "new.example", 0)
	waitFor(t, time.Minute, func() error { return checkPageviews(s, "new.example", 1) })
	s.mustStop(t)
	got := at.dump(t, event.TimeOf(time.Now().Add(time.Hour)))
	maps.DeleteFunc(got, func(key, _ string) bool { return want[key] == "" })
	if len(want) == 0 || !maps.Equal(got, want) {
		t.Errorf("%d points are as they were, of %d", len(got), len(want))
		for key := range want {
			if got[key] != want[key] {
				t.Logf("%s: %s, was %s", key, got[key], want[key])
			}
		}
	}
	mustNotDiffer(t, at)
}

// packFolder writes the files of a folder into an archive.
func packFolder(t *testing.T, to, from string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	z, _ := gzip.NewWriterLevel(out, gzip.BestCompression)
	w := tar.NewWriter(z)
	if err := errors.Join(w.AddFS(os.DirFS(from)), w.Close(), z.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
}

// unpackFolder is the way back. It returns when the newest file was written.
func unpackFolder(t *testing.T, to, from string) (newest time.Time) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return newest
		}
		if err != nil || !fs.ValidPath(strings.TrimSuffix(h.Name, "/")) {
			t.Fatalf("%s: %q: %v", from, h.Name, err)
		}
		if h.ModTime.After(newest) {
			newest = h.ModTime
		}
		path := filepath.Join(to, h.Name)
		if h.FileInfo().IsDir() {
			err = os.MkdirAll(path, 0o700)
		} else if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, b, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
