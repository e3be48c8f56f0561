package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReplayOfNoArchive: a folder that holds something else than an archive is named, with that of a data folder in it.
func TestReplayOfNoArchive(t *testing.T) {
	t.Parallel()
	at := localPlace(t)
	mustRun(t, exitOK, at.args("import", "--format", "combined", "--site", "shop.example", "testdata/import/small.log")...)
	f := func(archive, want string) {
		t.Helper()
		var out, errs bytes.Buffer
		code := run(t.Context(), localPlace(t).args("replay", "--s3", "file://"+archive), strings.NewReader(""), &out, &errs)
		if code != exitError || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: %d %s, want %q", archive, code, errs.String(), want)
		}
	}
	f(at.data, "there is no archive in "+at.data+"; that of a data folder is in "+filepath.Join(at.data, "lake"))
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f(other, "which has other files")
}
