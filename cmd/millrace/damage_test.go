package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFlippedBits flips a bit in each kind of file of a stopped server's broker folder. The server starts and has lost nothing, or
// it refuses with an advice that is followed here, after which it has lost nothing. The short form has a few of the files.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	base := place{data: t.TempDir()}
	s := mustServe(t, base, "--early", "500ms", "--archive-every", "1s", "--partitions", "1")
	for i := range servedEvents {
		mustBeacon(t, s, "a.example", i)
	}
	mustArchive(t, base, servedEvents)
	waitFor(t, 20*time.Second, func() error { return checkPageviews(s, "a.example", servedEvents) })
	s.mustStop(t)

	short := []string{"broker/topics.json", "broker/partitions/millrace.engine-table-0/0.dat", "broker/partitions/millrace.events-0/0.dat"}
	flipped := func(t *testing.T, name string, percent int) place {
		if !slices.Contains(short, name) || percent == 100 {
			onlyLong(t)
		}
		t.Parallel()
		at := localPlace(t)
		if err := os.CopyFS(at.data, os.DirFS(base.data)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(at.data, name)
		raw, err := os.ReadFile(path)
		if err != nil || len(raw) == 0 {
			t.Fatalf("%s: %d bytes, %v", name, len(raw), err)
		}
		raw[min(len(raw)*percent/100, len(raw)-1)] ^= 1
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		return at
	}
	sound := func(t *testing.T, at place) {
		t.Helper()
		s := mustServe(t, at, "--early", "500ms", "--archive-every", "1s", "--partitions", "1")
		mustBeacon(t, s, "a.example", servedEvents)
		waitFor(t, 20*time.Second, func() error { return checkPageviews(s, "a.example", servedEvents+1) })
		mustArchive(t, at, servedEvents+1)
		s.mustStop(t)
		mustNotDiffer(t, at)
	}
	healed := func(name string, percents ...int) {
		for _, percent := range percents {
			t.Run(fmt.Sprintf("%s at %d %%", name, percent), func(t *testing.T) { sound(t, flipped(t, name, percent)) })
		}
	}
	cured := func(name string, percent int, deleted ...string) {
		t.Run(fmt.Sprintf("%s at %d %%", name, percent), func(t *testing.T) {
			at := flipped(t, name, percent)
			_, err := startServer(t, append(at.args("serve"), "--partitions", "1"))
			if err == nil {
				t.Fatal("the server starts")
			}
			for _, d := range deleted {
				if path := filepath.Join(at.data, d); !strings.Contains(err.Error(), path) {
					t.Errorf("%v\nwant the advice to delete %s", err, path)
				}
				mustRemove(t, at, d)
			}
			if strings.Contains(err.Error(), "move the data folder away") {
				t.Errorf("the advice loses events: %v", err)
			}
			sound(t, at)
		})
	}
	for _, name := range []string{"topics.json", "meta.json", "seq_windows.json", "partitions/millrace.events-0/snapshot.json"} {
		healed("broker/"+name, 30)
	}
	healed("broker/pids.log", 30)
	healed("broker/partitions/millrace.windows-0/0.idx", 50)
	cured("broker/groups.log", 30, "broker/groups.log")
	for _, percent := range []int{30, 100} {
		cured("broker/partitions/millrace.windows-0/0.dat", percent, "broker/partitions/millrace.windows-0", "broker/groups.log")
		cured("broker/partitions/millrace.engine-table-0/0.dat", percent, "broker/partitions/millrace.engine-table-0", "state/partition-0", "broker/groups.log")
	}
	t.Run("events", func(t *testing.T) {
		at := flipped(t, "broker/partitions/millrace.events-0/0.dat", 30)
		refusedWith(t, at, []string{"--partitions", "1"}, "millrace.events-0", "restore ", "from a copy", "move the data folder away", `millrace replay --s3`, "what the archive does not have")
	})
}
