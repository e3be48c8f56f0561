package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/emit/lake"
	"millrace/engine/event"
)

// TestKill is the promise: serve is killed with -9 again and again under a steady load of beacons, and restarted on the same
// folder, a few times without its state. Afterwards every event that was answered with 2xx is counted exactly once
// in its minute, and is in the archive exactly once; replay finds no difference, and rebuilds a lost rollup store as it was.
//
// The short form has two kills. The long one (-long) has ten, and all events at the present time.
func TestKill(t *testing.T) {
	t.Parallel()
	testKill(t, localPlace(t))
}

// TestKillOnServices is TestKill with a real InfluxDB and a real S3 server.
func TestKillOnServices(t *testing.T) { testKill(t, servicesPlace(t)) }

// TestKillOnKafka is TestKill with real brokers, which live on: after each kill there are members in the groups, and connections
// to the brokers, of a process that is dead.
func TestKillOnKafka(t *testing.T) { testKill(t, kafkaPlace(t)) }

func testKill(t *testing.T, at place) {
	kills, wipes := 2, []int{2}
	if *long {
		kills, wipes = 10, []int{3, 6, 9}
	}
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)

	s := mustServe(t, at, "--archive-every", "1s")
	began := event.TimeOf(time.Now()).Floor(event.Minute)
	l := startLoad(t, !*long)
	l.target(s.url)
	for i := 1; i <= kills; i++ {
		time.Sleep(time.Duration(1500+rng.IntN(2500)) * time.Millisecond)
		s.kill()
		wiped := slices.Contains(wipes, i)
		if wiped {
			if err := os.RemoveAll(filepath.Join(at.data, "state")); err != nil {
				t.Fatal(err)
			}
		}
		down := time.Now()
		s = mustServe(t, at, "--archive-every", "1s")
		l.target(s.url)
		t.Logf("kill %d, state wiped: %v, up again after %v", i, wiped, time.Since(down).Round(10*time.Millisecond))
	}
	time.Sleep(2 * time.Second)
	sent := l.stop()
	t.Logf("%d requests of %d events answered with 2xx, %d unanswered or refused", sent.acked, eventsPerRequest, len(sent.requests)-sent.acked)
	if sent.acked < 200 {
		t.Fatal("too few requests to prove anything")
	}

	waitFor(t, 40*time.Second, func() error { return checkRollups(s, sent) })
	waitFor(t, 40*time.Second, func() error { return checkArchive(t.Context(), at, sent) })
	until := began // what is certainly final: events of the past, fired again at once
	if *long {
		until = event.TimeOf(time.Now()).Floor(event.Minute) + event.Minute
		time.Sleep(time.Until(until.Std().Add(5 * time.Second)))
		if err := checkRollups(s, sent); err != nil {
			t.Error(err)
		}
	}
	s.mustStop(t)
	checkReplay(t, at, until)
}

// checkReplay verifies the rollup store, deletes it, and has it rebuilt as it was until an instant.
func checkReplay(t *testing.T, at place, until event.Time) {
	t.Helper()
	t.Log(strings.TrimSpace(mustRun(t, exitOK, at.args("replay", "--verify")...)))
	before := at.dump(t, until)
	if len(before) == 0 {
		t.Fatal("the rollup store has nothing to compare")
	}
	if err := at.loseRollups(); err != nil {
		t.Fatal(err)
	}
	to := until.Std().Format(time.RFC3339)
	mustRun(t, exitError, at.args("replay", "--verify", "--to", to)...)
	t.Log(strings.TrimSpace(mustRun(t, exitOK, at.args("replay", "--to", to)...)))
	if after := at.dump(t, until); !maps.Equal(before, after) {
		t.Errorf("%d points before the store was rebuilt, %d after, or other numbers", len(before), len(after))
	}
	mustRun(t, exitOK, at.args("replay", "--verify", "--to", to)...)
}

// checkRollups asks for each page in each minute. Every request has a page of its own, so a double, a loss and a page that
// nobody sent are told apart.
func checkRollups(s *serving, sent *sentList) error {
	have := map[requestKey]int{}
	for site := range loadSites {
		a, err := s.ask(map[string]any{
			"site_id": siteName(site), "metrics": []string{"pageviews"}, "dimensions": []string{"event:page", "time:minute"},
			"date_range": []string{sent.from.Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339)},
		})
		if err != nil {
			return err
		}
		for _, r := range a.Results {
			minute, err := time.Parse(time.DateTime, r.Dimensions[1])
			if err != nil {
				return err
			}
			have[requestKey{siteName(site), r.Dimensions[0], minute.Unix()}] += int(r.Metrics[0])
		}
	}
	return sent.check(have, eventsPerRequest, "rollups")
}

// checkArchive reads the whole archive: each event by its id, and the proof that no object is missing or double.
func checkArchive(ctx context.Context, at place, sent *sentList) error {
	l, err := at.lake()
	if err != nil {
		return err
	}
	report, err := l.Check(ctx)
	if err := errors.Join(err, report.Err()); err != nil {
		return err
	}
	hours, err := l.Hours(ctx, 0, event.TimeOf(time.Now())+event.Hour)
	if err != nil {
		return err
	}
	ids := map[string]int{}
	have := map[requestKey]int{}
	for _, h := range hours {
		err := l.ReadHour(ctx, h.Start, "", func(e *event.Event, _ lake.Source) error {
			ids[e.ID]++
			have[requestKey{e.Site, strings.TrimPrefix(e.URL, "https://"+e.Site), int64(e.Time.Floor(event.Minute) / event.Second)}]++
			return nil
		})
		if err != nil {
			return err
		}
	}
	for id, n := range ids {
		if n != 1 {
			return fmt.Errorf("archive: event %s is there %d times", id, n)
		}
	}
	return sent.check(have, eventsPerRequest, "archive")
}
