package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/emit/lake"
	"millrace/engine/event"
)

// TestFolderRemovedUnderServer removes one folder of a running server's data.
func TestFolderRemovedUnderServer(t *testing.T) {
	t.Parallel()
	serve := func(t *testing.T) (place, *serving) {
		t.Parallel()
		at := localPlace(t)
		s := mustServe(t, at, "--early", "500ms", "--archive-every", "1s", "--sites", "any")
		mustBeacon(t, s, "a.example", 1)
		mustArchive(t, at, 1)
		return at, s
	}
	// ends: the process ends by itself within seconds, with status 1 and one line that says what to do.
	ends := func(name string, spoil func(data string) error, wants ...string) {
		t.Run(name, func(t *testing.T) {
			if name != "rollups" && name != "broker" {
				onlyLong(t)
			}
			at, s := serve(t)
			if err := spoil(at.data); err != nil {
				t.Fatal(err)
			}
			taken := 0 // what is answered with 2xx until the process ends
			for range 5 {
				resp, err := http.Post(s.url+pathEvents, "application/json", strings.NewReader(`{"site":"after.example","name":"pageview","url":"https://after.example/"}`))
				if err != nil {
					break // it has ended
				}
				resp.Body.Close()
				if resp.StatusCode == http.StatusAccepted {
					taken++
				}
			}
			select {
			case <-s.ended:
			case <-time.After(20 * time.Second):
				t.Fatal("the server goes on")
			}
			out := s.stderr.String()
			if code := s.cmd.ProcessState.ExitCode(); code != 1 || strings.Contains(out, "goroutine ") {
				t.Errorf("exit code %d, want 1 and no stack\n%s", code, out)
			}
			if taken > 0 {
				if err := archivedOf(t, at, "after.example"); err != nil {
					t.Errorf("%d events were taken: %v\n%s", taken, err, out)
				}
			}
			last := out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:]
			for _, want := range append(wants, "millrace: ", at.data) {
				if !strings.Contains(last, want) {
					t.Errorf("the last line is %q, want %q", last, want)
				}
			}
		})
	}
	remove := func(name string) func(string) error {
		return func(data string) error { return removeInUse(filepath.Join(data, name)) }
	}
	ends("rollups", remove("rollups"), "rollup store", "removed", `run "millrace replay"`)
	ends("rollups moved away", func(data string) error {
		return os.Rename(filepath.Join(data, "rollups"), filepath.Join(data, "old"))
	}, "rollup store", "moved away")
	ends("broker", remove("broker"), "embedded broker", "removed", "put the folder back", `millrace replay --s3`)
	ends("log of a partition", remove("broker/partitions/millrace.events-0"), "embedded broker", "millrace.events-0 was removed")

	t.Run("log's file", func(t *testing.T) {
		onlyLong(t)
		at, s := serve(t)
		notReady := func(query, want string) error {
			code, body, err := get(s.admin + "/readyz?verbose" + query)
			if err != nil || code != http.StatusServiceUnavailable || !strings.Contains(body, want) {
				return fmt.Errorf("%d %s, %v; want %s", code, body, err, want)
			}
			return nil
		}
		segment := filepath.Join(at.data, "broker/partitions/millrace.events-0/0.dat")
		replaced := 0
		waitFor(t, 30*time.Second, func() error { // until it has been looked at before
			raw, err := os.ReadFile(segment)
			err = errors.Join(err, os.Rename(segment, fmt.Sprintf("%s.%d", segment, replaced)), os.WriteFile(segment, raw, 0o600))
			if err != nil {
				t.Fatal(err)
			}
			replaced++
			return notReady("&role=collect", "millrace.events-0: 0.dat was replaced while it was in use; ")
		})
		// The first is the one that is written to.
		if err := os.Truncate(segment+".0", 0); err != nil {
			t.Fatal(err)
		}
		waitFor(t, time.Minute, func() error { return notReady("", "process: not for ") })
		if err := notReady("", "millrace.events/0: its records can't be read: none has come since offset "); err != nil {
			t.Error(err)
		}
	})

	// goesOn: what comes after is counted and archived.
	goesOn := func(name string, spoil func(data string) error) {
		t.Run(name, func(t *testing.T) {
			if name != "lake" {
				onlyLong(t)
			}
			at, s := serve(t)
			if err := spoil(at.data); err != nil {
				t.Fatal(err)
			}
			mustBeacon(t, s, "b.example", 1)
			waitFor(t, 30*time.Second, func() error { return checkPageviews(s, "b.example", 1) })
			waitFor(t, 30*time.Second, func() error { return archivedOf(t, at, "b.example") })
			if err := s.waitReady(20 * time.Second); err != nil {
				t.Fatal(err)
			}
			s.mustStop(t)
			s = mustServe(t, at)
			waitFor(t, 20*time.Second, func() error { return checkPageviews(s, "b.example", 1) })
			if code, body := s.readyz(); code != http.StatusOK {
				t.Error(code, body)
			}
		})
	}
	goesOn("lake", remove("lake"))
	goesOn("lake, and made again", func(data string) error {
		lake := filepath.Join(data, "lake")
		if err := removeInUse(lake); err != nil {
			return err
		}
		return os.MkdirAll(lake, 0o755)
	})
	goesOn("state", remove("state"))
}

// removeInUse removes a folder that a server may write to meanwhile, so that it is not empty when its turn comes.
func removeInUse(path string) (err error) {
	for range 50 {
		if err = os.RemoveAll(path); err == nil {
			return nil
		}
	}
	return err
}

// archivedOf returns nil once an event of the site is in the archive.
func archivedOf(t *testing.T, at place, site string) error {
	archive, err := at.lake()
	if err != nil {
		return err
	}
	found := false
	now := event.TimeOf(time.Now())
	hours, err := archive.Hours(t.Context(), now-2*event.Hour, now+event.Hour)
	for _, h := range hours {
		err = errors.Join(err, archive.ReadHour(t.Context(), h.Start, site, func(*event.Event, lake.Source) error { found = true; return nil }))
	}
	if err == nil && !found {
		err = fmt.Errorf("no event of %s is archived", site)
	}
	return err
}
