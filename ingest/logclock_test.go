package ingest

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"millrace/engine/event"
)

// ahead is a clock that is ahead of the machine's.
func ahead(by time.Duration) func() time.Time {
	return func() time.Time { return time.Now().Add(by) }
}

// A clock that is wrong from the start is found by what the log has: the times of other collectors
// that are there, of some that were, and of this one before.
func TestClockWrongFromStart(t *testing.T) {
	t.Parallel()
	f := func(name string, cluster *kfake.Cluster, id string, by time.Duration, why, logged string) *Collector {
		t.Helper()
		log := &lockedLog{}
		c := mustOpen(t, cluster, func(o *Options) {
			o.CollectorID, o.Now, o.TickEvery = id, ahead(by), 50*time.Millisecond
			o.Log = slog.New(slog.NewTextHandler(log, nil))
		})
		eventually(t, name+": health is "+why, func() bool {
			c.clock.mu.Lock()
			compares := c.clock.compares
			c.clock.mu.Unlock()
			err := c.clock.why()
			return compares > 0 && (err == nil) == (why == "") && (err == nil || strings.Contains(err.Error(), why))
		})
		eventually(t, name+": the log has "+logged, func() bool { return log.count(logged) > 0 })
		if why == "" && log.count("level=ERROR") > 0 {
			t.Errorf("%s: %s", name, log.b.String())
		}
		return c
	}
	cluster := mustCluster(t)
	first := f("the first", cluster, "c1", 0, "", "")
	f("right beside another", cluster, "c3", 20*time.Second, "", "").Close()
	second := f("ahead of another", cluster, "c2", 2*time.Hour, "ahead of those of 1 of 1 other collectors", "is not that of the log")
	if err := first.clock.why(); err != nil {
		t.Errorf("the one that was there before: %v", err)
	}
	second.Close()
	f("behind another", cluster, "c4", -2*time.Hour, "behind those of 1 of 1", "is not that of the log").Close()
	first.Close()

	cluster = mustCluster(t)
	c := f("alone and ahead", cluster, "c1", 2*time.Hour, "", "")
	waitTicks(t, cluster)
	c.Close()
	f("after itself", cluster, "c1", 0, "behind the time that this collector has promised", "has promised to the log").Close()
	f("after another", cluster, "c2", 0, "behind the times that are in the log", "times that lie in the future").Close()
}

func TestJudge(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	// Each other collector is so far ahead of this one.
	f := func(right bool, want string, others ...time.Duration) {
		t.Helper()
		l := &logClock{c: &Collector{opts: Options{CollectorID: "me"}.withDefaults()}, right: right}
		all := map[string]*heard{"me": {low: event.TimeOf(now), ticks: 2, moves: true}}
		for i, by := range others {
			all[string(rune('a'+i))] = &heard{low: event.TimeOf(now.Add(by)), ticks: 2, moves: true}
		}
		all["stands"] = &heard{low: event.TimeOf(now.Add(time.Hour)), ticks: 2}
		_, err := l.judge(all, now)
		if (err == nil) != (want == "") || err != nil && err.Error() != want || l.right != (right || want == "") {
			t.Errorf("right before: %t, others at %v: %v, right now: %t; want %q", right, others, err, l.right, want)
		}
	}
	f(false, "")
	l := &logClock{c: &Collector{opts: Options{CollectorID: "me"}.withDefaults()}}
	all := map[string]*heard{"me": {ahead: -90 * time.Second, known: true}, "a": {low: event.TimeOf(now), ticks: 1}}
	if skew, err := l.judge(all, now); skew != -90*time.Second || err == nil || err.Error() != "the clock is 1m30s behind Kafka's" {
		t.Errorf("%v, %v", skew, err)
	}
	// What it has in its spool holds its low back, so that Kafka's time runs away from that.
	all["me"] = &heard{low: event.TimeOf(now) - 10*event.Minute, ticks: 2, ahead: -10 * time.Minute, known: true}
	if skew, err := l.judge(all, now); skew != 0 || err != nil {
		t.Errorf("while it drains its spool: %v, %v", skew, err)
	}
	f(false, "", 0, 59*time.Second, -time.Minute)
	f(false, "the clock is 1h0m0s behind those of 1 of 1 other collectors", time.Hour)
	f(true, "", time.Hour)
	f(true, "the clock is 1h0m0s ahead of those of 2 of 2 other collectors", -time.Hour, -time.Hour)
	f(true, "", 0, time.Hour)
	f(false, "", 0, time.Hour, time.Hour)
	f(true, "the clock is 1h0m0s behind those of 3 of 4 other collectors", 0, time.Hour, time.Hour, time.Hour)
}
