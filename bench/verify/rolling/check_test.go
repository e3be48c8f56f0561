//go:build heavy

package rolling

import (
	"strings"
	"testing"
	"time"

	"millrace/bench/verify/report"
	"millrace/engine/event"
)

// The comparison of the log with what was sent finds what is lost, double, of another time or page,
// and what nobody has sent; what was sent again may be there twice.
func TestCheckLog(t *testing.T) {
	at := time.UnixMilli(1_790_000_000_000)
	sent := func(n, attempts int) *beacon {
		return &beacon{number: n, due: at, first: at, answered: at.Add(20 * time.Millisecond), attempts: attempts, taken: true}
	}
	written := func(b *beacon, after time.Duration) logged {
		return logged{Event: event.Event{ID: b.id(), Site: b.site(), URL: "https://" + b.site() + b.page(), Time: event.TimeOf(at.Add(after))}}
	}
	f := func(want string, beacons []*beacon, events ...logged) {
		t.Helper()
		r := &run{report: &report.Report{}}
		r.checkLog([]record{{collector: "c", events: events}}, beacons)
		got := strings.Join(r.report.Wrong, "\n")
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	one, again := sent(1, 1), sent(2, 2)
	all := []*beacon{one, again}
	f("", all, written(one, 5*time.Millisecond), written(again, 5*time.Millisecond))
	f("", all, written(one, 5*time.Millisecond), written(again, 5*time.Millisecond), written(again, 9*time.Millisecond))
	f("b-2 was answered with 2xx and is not in the log", all, written(one, 5*time.Millisecond))
	f("b-1 was sent once and is in the log 2 times", all, written(one, 1), written(one, 1), written(again, 1))
	f("b-1 has the time", all, written(one, time.Second), written(again, 1))
	f("b-3 is in the log, and was not sent", all, written(one, 1), written(again, 1), written(sent(3, 1), 1))
	other := written(one, 1)
	other.URL += "x"
	f("b-1 is in the log as", all, other, written(again, 1))
}

// The p99 of a time is held against that of the quiet one.
func TestRatio(t *testing.T) {
	at := time.UnixMilli(1_790_000_000_000)
	var beacons []*beacon
	for i := range 200 {
		took := 10 * time.Millisecond
		if i >= 100 {
			took *= 4
		}
		due := at.Add(time.Duration(i) * time.Second)
		beacons = append(beacons, &beacon{number: i, due: due, first: due, answered: due.Add(took), attempts: 1, taken: true})
	}
	for ratio, wrong := range map[float64]int{3: 1, 5: 0, 0: 0} {
		r := &run{Options: Options{Ratio: ratio}, report: &report.Report{}, phases: []phase{
			{"no upgrade", at, at.Add(100 * time.Second)}, {"upgrade", at.Add(100 * time.Second), at.Add(200 * time.Second)}}}
		r.latency(beacons)
		if len(r.report.Wrong) != wrong {
			t.Errorf("ratio %g: %q", ratio, r.report.Wrong)
		}
	}
}
