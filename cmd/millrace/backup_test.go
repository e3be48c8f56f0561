package main

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
)

const backupSite = "a.example"

var backupFlags = []string{"--early", "500ms", "--archive-every", "1s"}

// servePast serves n pageviews of half an hour ago, whose minutes are final as soon as they are counted, beside an imported log,
// and returns when the archive is past them.
func servePast(t *testing.T, at place, n int) *serving {
	t.Helper()
	mustRun(t, exitOK, at.args("import", "--format", "combined", "--site", "shop.example", "testdata/import/small.log")...)
	s := mustServe(t, at, backupFlags...)
	past := time.Now().Add(-30 * time.Minute)
	for i := range n {
		code, answer := mustPost(t, s.url+pathEvents, fmt.Sprintf(`{"site":%q,"name":"pageview","url":"https://%s/%d","ua":%q,"visitor":"v%d","ts":%d}`,
			backupSite, backupSite, i, firefox, i%7, past.Add(time.Duration(i)*time.Second).UnixMilli()))
		if code/100 != 2 {
			t.Fatalf("status %d, %s", code, answer)
		}
	}
	mustArchive(t, at, int64(n))
	waitFor(t, time.Minute, func() error { return checkPageviews(s, backupSite, n) }) // late events wait for the next tick that fires
	return s
}

// copyFolder copies what is there, as cp -a does; what is deleted meanwhile is left out.
func copyFolder(t *testing.T, to, from string) {
	t.Helper()
	waitFor(t, 20*time.Second, func() error {
		if err := os.RemoveAll(to); err != nil {
			return err
		}
		return os.CopyFS(to, os.DirFS(from))
	})
}

// TestBackupOfFolder: a copy of the whole data folder of a stopped server is served elsewhere with the same numbers, and goes on.
func TestBackupOfFolder(t *testing.T) {
	t.Parallel()
	const n = 20
	at := localPlace(t)
	servePast(t, at, n).mustStop(t)
	want := at.dump(t, math.MaxInt64)
	restored := place{data: filepath.Join(t.TempDir(), "restored")}
	copyFolder(t, restored.data, at.data)
	if err := os.RemoveAll(at.data); err != nil {
		t.Fatal(err)
	}
	if got := restored.dump(t, math.MaxInt64); len(want) == 0 || !maps.Equal(got, want) {
		t.Errorf("%d points, want %d", len(got), len(want))
	}
	s := mustServe(t, restored, backupFlags...)
	mustBeacon(t, s, backupSite, n)
	mustArchive(t, restored, n+1)
	s.mustStop(t)
	mustNotDiffer(t, restored)
}

// TestBackupOfArchive: archive and secret, copied while serve runs, are enough. Put into a new data folder they are refused with
// the commands that restore them, and these are run as they are printed.
func TestBackupOfArchive(t *testing.T) {
	t.Parallel()
	const n = 20
	at := localPlace(t)
	s := servePast(t, at, n)
	backup := filepath.Join(t.TempDir(), "backup")
	restored := place{data: filepath.Join(t.TempDir(), "restored")}
	copyFolder(t, filepath.Join(backup, "lake"), filepath.Join(at.data, "lake"))
	s.mustStop(t)
	want := at.dump(t, event.TimeOf(time.Now().Add(-20*time.Minute)))

	secret, err := os.ReadFile(filepath.Join(at.data, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	copyFolder(t, restored.data, backup)
	if err := os.WriteFile(filepath.Join(restored.data, "secret"), secret, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = startServer(t, restored.args("serve"))
	if err == nil || !strings.Contains(err.Error(), "it was restored from a backup without its log") {
		t.Fatalf("beside a restored archive: %v", err)
	}
	runPrinted(t, err.Error())
	got := restored.dump(t, event.TimeOf(time.Now().Add(-20*time.Minute)))
	if len(want) == 0 || !maps.Equal(got, want) {
		t.Errorf("%d points, want %d", len(got), len(want))
	}
	s = mustServe(t, restored, backupFlags...)
	mustBeacon(t, s, backupSite, n)
	waitFor(t, time.Minute, func() error { return checkPageviews(s, backupSite, n+1) })
	s.mustStop(t)
	if now, err := os.ReadFile(filepath.Join(restored.data, "secret")); err != nil || string(now) != string(secret) {
		t.Errorf("another secret, %v", err)
	}
}

// runPrinted runs the commands that a message has, joined with &&.
func runPrinted(t *testing.T, message string) {
	t.Helper()
	m := regexp.MustCompile(`(mv \S+ \S+ && [^;\n]+)`).FindString(message)
	if m == "" {
		t.Fatalf("no commands in %s", message)
	}
	for _, command := range strings.Split(m, " && ") {
		words := strings.Fields(command)
		switch words[0] {
		case "mv":
			if err := os.Rename(words[1], words[2]); err != nil {
				t.Fatal(err)
			}
		case "mkdir":
			if err := os.Mkdir(words[len(words)-1], 0o700); err != nil {
				t.Fatal(err)
			}
		case "cp":
			data, err := os.ReadFile(words[1])
			err = errors.Join(err, os.WriteFile(filepath.Join(words[2], filepath.Base(words[1])), data, 0o600))
			if err != nil {
				t.Fatal(err)
			}
		case "millrace":
			mustRun(t, exitOK, words[1:]...)
		default:
			t.Fatalf("%q", command)
		}
	}
}

// TestNewRollups: serve with a new rollup store beside an archive that has events names what brings the numbers back.
func TestNewRollups(t *testing.T) {
	t.Parallel()
	at := localPlace(t)
	mustRun(t, exitOK, at.args("import", "--format", "combined", "--site", "shop.example", "testdata/import/small.log")...)
	want := at.dump(t, math.MaxInt64)
	const warning = "the rollup store is new, but the archive has events"
	s := mustServe(t, at)
	s.mustStop(t)
	if strings.Contains(s.stderr.String(), warning) {
		t.Errorf("a warning without a reason:\n%s", s.stderr.String())
	}
	if err := at.loseRollups(); err != nil {
		t.Fatal(err)
	}
	s = mustServe(t, at)
	s.mustStop(t)
	if !strings.Contains(s.stderr.String(), warning) {
		t.Errorf("no warning:\n%s", s.stderr.String())
	}
	mustRun(t, exitOK, at.args("replay")...)
	if got := at.dump(t, math.MaxInt64); !maps.Equal(got, want) {
		t.Errorf("%d points, want %d", len(got), len(want))
	}
}
