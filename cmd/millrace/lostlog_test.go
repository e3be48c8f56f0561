package main

import (
	"context"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/engine"
	"millrace/internal/kafka"
	"millrace/internal/testlog"
)

// refused starts a server, which must end within 10 s and say why, without a word of the engine before it.
func refused(t *testing.T, at place, wants ...string) {
	t.Helper()
	began := time.Now()
	_, err := startServer(t, at.args("serve"))
	if err == nil {
		t.Fatal("the server starts")
	}
	for _, want := range append(wants, "exit status 1") {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "level=") || time.Since(began) > 10*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

// mustArchive waits until the archive has n events of the log.
func mustArchive(t *testing.T, at place, n int64) {
	t.Helper()
	waitFor(t, 20*time.Second, func() error {
		rows, err := archivedRows(t.Context(), at)
		if err == nil && rows < n {
			err = errors.New("not archived yet")
		}
		return err
	})
}

// archivedRows returns how many events of the stream are archived.
func archivedRows(ctx context.Context, at place) (rows int64, err error) {
	lake, err := at.lake()
	if err != nil {
		return 0, err
	}
	progress, err := lake.ProgressOf(ctx, engine.EventsTopic)
	for _, p := range progress {
		rows += p.Rows
	}
	return rows, err
}

func mustRemove(t *testing.T, at place, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(at.data, name)); err != nil {
		t.Fatal(err)
	}
}

// TestLostLog takes the log away from under state and archive: the server does not start on another one, whose records would
// be taken for those it has counted, and goes on in a new folder, with the old numbers.
func TestLostLog(t *testing.T) {
	t.Parallel()
	const site = "a.example"
	flags := []string{"--early", "500ms", "--archive-every", "1s"}
	at := localPlace(t)
	mustRun(t, 0, at.args("import", "--format", "combined", "--site", "shop.example", "testdata/import/small.log")...)
	old := at.dump(t, math.MaxInt64)
	s := mustServe(t, at, flags...)
	mustBeacon(t, s, site, 0)
	s.mustStop(t)
	early := filepath.Join(t.TempDir(), "broker")
	if err := os.CopyFS(early, os.DirFS(filepath.Join(at.data, "broker"))); err != nil {
		t.Fatal(err)
	}
	s = mustServe(t, at, flags...)
	for i := range 9 {
		mustBeacon(t, s, site, 1+i)
	}
	mustArchive(t, at, 10)
	waitFor(t, 10*time.Second, func() error { return checkPageviews(s, site, 10) })
	s.mustStop(t)

	brokerDir := filepath.Join(at.data, "broker")
	mustRemove(t, at, "broker")
	if err := os.CopyFS(brokerDir, os.DirFS(early)); err != nil {
		t.Fatal(err)
	}
	refused(t, at, "millrace: the log was lost, cut short or made anew: topic millrace.events", "the state in", brokerDir, "replay --s3 file://")
	mustRemove(t, at, "broker")
	refused(t, at, "topic millrace.events, partition 0 ends at offset 0", "the state in", "more such findings")
	mustRemove(t, at, "state")
	refused(t, at, "topic millrace.events, partition 0 ends at offset 0", "the archive in", filepath.Join(at.data, "lake"), "move the data folder away")

	fresh := localPlace(t)
	mustRun(t, 0, fresh.args("replay", "--s3", "file://"+filepath.Join(at.data, "lake"))...)
	got := fresh.dump(t, math.MaxInt64)
	maps.DeleteFunc(got, func(key, _ string) bool { return strings.HasPrefix(key, site) }) // there if its minute has ended
	if len(old) == 0 || !maps.Equal(got, old) {
		t.Errorf("replay of the old archive: %d points, want the %d of its import", len(got), len(old))
	}
	s = mustServe(t, fresh, flags...)
	mustBeacon(t, s, "b.example", 0)
	waitFor(t, 10*time.Second, func() error { return checkPageviews(s, "b.example", 1) })
	mustArchive(t, fresh, 1)
	s.mustStop(t)
}

// TestDamagedProgress spoils what says how far the archive is: serve and replay name the object, and do as they say once it
// is gone.
func TestDamagedProgress(t *testing.T) {
	t.Parallel()
	const site = "a.example"
	flags := []string{"--early", "500ms", "--archive-every", "1s"}
	at := localPlace(t)
	s := mustServe(t, at, flags...)
	for i := range 10 {
		mustBeacon(t, s, site, i)
	}
	mustArchive(t, at, 10)
	s.kill()
	files, err := filepath.Glob(filepath.Join(at.data, "lake", "dt=1970-01-01", "hr=10", "_progress.millrace.events-*.parquet"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if err := os.WriteFile(name, []byte("junk"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hint := []string{"/_progress.millrace.events-", "damaged or of another version", "delete it"}
	refused(t, at, hint...)
	var out, errs testlog.Buffer
	code := run(t.Context(), at.args("replay", "--verify"), strings.NewReader(""), &out, &errs)
	for _, want := range hint {
		if code != exitError || !strings.Contains(errs.String(), want) {
			t.Errorf("replay: exit code %d, %s; want %q", code, errs.String(), want)
		}
	}
	for _, name := range files {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	s = mustServe(t, at, flags...)
	for i := range 5 {
		mustBeacon(t, s, site, 10+i)
	}
	mustArchive(t, at, 5)
	waitFor(t, 10*time.Second, func() error { return checkPageviews(s, site, 15) })
	s.mustStop(t)
	mustNotDiffer(t, at)
}

// TestLostChangelog loses the changelog and the state: the start says what to do, and that brings back every number that the
// log still has.
func TestLostChangelog(t *testing.T) {
	t.Parallel()
	const site = "a.example"
	at := localPlace(t)
	s := mustServe(t, at, "--early", "500ms")
	for i := range 10 {
		mustBeacon(t, s, site, i)
	}
	waitFor(t, 10*time.Second, func() error { return checkPageviews(s, site, 10) })
	s.mustStop(t)
	files, err := filepath.Glob(filepath.Join(at.data, "broker", "partitions", kafka.TableTopic(engine.Group)+"-*", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, ".dat") {
			err = os.Truncate(name, 0)
		} else {
			err = os.Remove(name) // how far the log has come once
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	refused(t, at, "topic millrace.engine-table, partition", "the state in", "delete "+filepath.Join(at.data, "state"), "groups.log")
	mustRemove(t, at, "state")
	refused(t, at, "the changelog does not reach the committed offset", "groups.log", "millrace replay")
	mustRemove(t, at, filepath.Join("broker", "groups.log"))
	s = mustServe(t, at, "--early", "500ms")
	mustBeacon(t, s, site, 10)
	waitFor(t, 10*time.Second, func() error { return checkPageviews(s, site, 11) })
	s.mustStop(t)
	mustNotDiffer(t, at)
}
