//go:build heavy

package soak

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A line with a sawtooth of a collector upon it: the slope is the line's, and its error says how sure that
// is.
func TestSlope(t *testing.T) {
	f := func(perHour, saw, want float64) {
		t.Helper()
		r := &Report{}
		for at := 0.0; at < 7200; at += 15 {
			v := 200 * (1 + perHour/100*at/3600)
			if at < 1200 {
				v = 50 // warming up
			}
			r.Samples = append(r.Samples, Sample{At: at, RSS: int64(1e6 * (v + saw*math.Mod(at, 60)/60))})
		}
		s := r.SlopeOf(1500, func(s *Sample) float64 { return float64(s.RSS) })
		if math.Abs(s.PerHour-want) > 0.1+2*s.Error || s.Error > 0.3 || s.Blocks != 19 {
			t.Errorf("%v %%/h with a saw of %v: %+v", perHour, saw, s)
		}
	}
	f(0, 0, 0)
	f(0, 80, 0)
	f(5, 0, 4.8) // of the mean, which is above the beginning
	f(5, 80, 4.2)
	f(-3, 20, -2.9)
	if s := fit(nil, nil); !math.IsNaN(s.PerHour) {
		t.Errorf("no samples: %+v", s)
	}
}

// A run that is steady but for one thing is not steady, and the report says for what.
func TestVerdict(t *testing.T) {
	f := func(change func(s *Sample, hours float64), end *Ending, want string) {
		t.Helper()
		r := &Report{Begun: Begun{Options: Options{For: 2 * time.Hour, WarmUp: 20 * time.Minute}}, End: end}
		for at := 0.0; at <= 7200; at += 60 {
			s := Sample{At: at, RSS: 300e6, Files: 90, Metrics: map[string]float64{
				"go_goroutines": 120, "go_memstats_next_gc_bytes": 100e6, "go_memstats_heap_inuse_bytes": 90e6,
			}, Disk: map[string]int64{"lake": int64(at)}}
			change(&s, at/3600)
			r.Samples = append(r.Samples, s)
		}
		if got := r.Verdict(); !strings.Contains(got, want) || r.Steady() != (want == "steady and right") {
			t.Errorf("verdict %q, want %q", got, want)
		}
		if text := r.String(); end != nil && !strings.Contains(text, want) {
			t.Errorf("no %q in the report\n%s", want, text)
		}
	}
	good := &Ending{}
	f(func(*Sample, float64) {}, good, "steady and right")
	f(func(s *Sample, h float64) { s.RSS += int64(h * 6e6) }, good, "NOT steady: resident memory, MB +1.9")
	f(func(s *Sample, h float64) { s.RSS += int64(h * 2e6) }, good, "steady and right")
	f(func(s *Sample, h float64) { s.Files += int64(h * 3) }, good, "open files")
	f(func(s *Sample, h float64) { s.Metrics["go_goroutines"] += h * 10 }, good, "goroutines")
	f(func(s *Sample, _ float64) { s.Metrics["millrace_audit_wrong_total"] = 1 }, good, "the self-audit found something")
	f(func(*Sample, float64) {}, &Ending{Wrong: []string{"a"}}, "numbers are wrong")
	f(func(*Sample, float64) {}, nil, "it has not ended")
}

// What the archive has, what was sent, and what the query API counts are compared by id, site and hour.
func TestCompare(t *testing.T) {
	a, b := cell{"a", "2026-11-30 10:00:00"}, cell{"b", "2026-11-30 11:00:00"}
	both := func() map[cell]Counts { return map[cell]Counts{a: {3, 2}, b: {1, 1}} }
	f := func(rollups, archive map[cell]Counts, want string) {
		t.Helper()
		e := &Ending{Load: loadCounts{Sent: 4, Views: 3}}
		e.compare(rollups, archive)
		if got := strings.Join(e.Wrong, "\n"); got != want {
			t.Errorf("wrong is\n%s\nwant\n%s", got, want)
		}
		if e.Cells != 2 || e.Hours != 2 {
			t.Errorf("%d cells, %d hours", e.Cells, e.Hours)
		}
	}
	f(both(), both(), "")
	less := both()
	delete(less, b)
	f(less, both(), "b, 2026-11-30 11:00:00: the query API has {Events:0 Views:0}, the archive {Events:1 Views:1}")
	f(both(), less, "b, 2026-11-30 11:00:00: the query API has {Events:1 Views:1}, the archive {Events:0 Views:0}\n"+
		"sent {Events:4 Views:3}, archived {Events:3 Views:2}")

	set := newIDs(3)
	for _, c := range []struct{ id, want string }{
		{"s0", ""}, {"s2", ""}, {"s0", "is there twice"}, {"s3", "was not sent"}, {"s-1", "was not sent"}, {"x1", "was not sent"}, {"", "was not sent"},
	} {
		if got := set.add(c.id); got != c.want {
			t.Errorf("%q %q, want %q", c.id, got, c.want)
		}
	}
	if n := set.missing(); n != 1 {
		t.Errorf("%d are missing", n)
	}
}

func TestParseMetrics(t *testing.T) {
	got, err := parseMetrics(strings.NewReader(`# HELP a_total it
# TYPE a_total counter
a_total{partition="0",why="a b"} 3
a_total{partition="1"} 4
b_seconds_bucket{le="+Inf"} 9
b_seconds_sum 1.5e+01
c +Inf
`))
	if err != nil || len(got) != 2 || got["a_total"] != 7 || got["b_seconds_sum"] != 15 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := parseMetrics(strings.NewReader("a x\n")); err == nil {
		t.Error("a number that is none is taken")
	}
}

// What a request of the load has is what v1 reads, and its ids go on.
func TestLoadRequest(t *testing.T) {
	o := Options{Batch: 3, Sites: 5}.withDefaults()
	l := newLoad(&o, "", nil)
	views := int64(0)
	for first := 0; first < 300; first += 3 {
		r := l.next(first)
		var events []map[string]any
		if err := json.Unmarshal(r.body, &events); err != nil || len(events) != 3 || r.events != 3 {
			t.Fatalf("%v: %s", err, r.body)
		}
		if events[2]["id"] != eventID(first+2) {
			t.Errorf("id %v", events[2]["id"])
		}
		views += r.views
	}
	if views < 220 || views > 280 {
		t.Errorf("%d of 300 events are page views", views)
	}
}

// A file that is not what the overlay was written for is refused, with its name.
func TestOverlay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.go")
	if err := os.WriteFile(file, []byte("one two two"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := overlay{dir: t.TempDir(), Replace: map[string]string{}}
	for _, old := range []string{"two", "three"} {
		if err := o.edit(file, "one", "1", old, "2"); err == nil || !strings.Contains(err.Error(), "a.go") {
			t.Errorf("%s: %v", old, err)
		}
	}
	if err := o.edit(file, "one", "1"); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(o.Replace[file]); err != nil || string(b) != "1 two two" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestPartOf(t *testing.T) {
	f := func(rel, want string) {
		t.Helper()
		if got := partOf(rel); got != want {
			t.Errorf("%s is of %s, want %s", rel, got, want)
		}
	}
	f("lake/dt=2026-11-30/hr=10/a.parquet", "lake")
	f("salts", "salts")
	f("broker/partitions/millrace.engine-table-12/00000000000000000000.dat", "millrace.engine-table")
	f("broker/topics.json", "broker")
}
