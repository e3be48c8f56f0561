package sizing

import (
	"math"
	"strings"
	"testing"
	"time"
)

func mustCompute(tb testing.TB, change func(o *Options)) *Plan {
	tb.Helper()
	o := Defaults(1e6)
	change(&o)
	p, err := Compute(o)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// total are the figures of a plan that more of anything may not lower.
func (p *Plan) total() (v []float64) {
	for _, r := range p.Roles {
		v = append(v, r.Cores, float64(r.Nodes))
	}
	for _, s := range append(p.Topics, p.Month...) {
		v = append(v, float64(s.Bytes))
	}
	return append(v, float64(p.State), float64(p.Partitions), float64(p.Brokers), float64(p.Puts))
}

// More events of as many sites, more sites, copies or days never take less of anything.
func TestRises(t *testing.T) {
	f := func(name string, more func(o *Options, step int)) {
		t.Helper()
		var before []float64
		for step := range 40 {
			p := mustCompute(t, func(o *Options) { o.Sites = 200; more(o, step) })
			v := p.total()
			for i := range before {
				if v[i] < before[i]*(1-1e-9) {
					t.Errorf("%s, step %d: figure %d is %v after %v", name, step, i, v[i], before[i])
				}
			}
			before = v
		}
	}
	f("events", func(o *Options, n int) { o.EventsPerDay = math.Pow(1.8, float64(n)) * 0.9 * 1.2; o.Sites = 200 })
	f("sites", func(o *Options, n int) { o.EventsPerDay = 1e8; o.Sites = int(math.Pow(1.4, float64(n))) + 1 })
	f("copies", func(o *Options, n int) { o.Replicas = 1 + n%40/6 })
	f("days", func(o *Options, n int) { o.Retention = time.Duration(1+n) * 12 * time.Hour })
	f("peak", func(o *Options, n int) { o.Peak = 1 + float64(n) })
}

// What is no sense is refused with its flag, all findings at once.
func TestValidate(t *testing.T) {
	f := func(change func(o *Options), want string) {
		t.Helper()
		o := Defaults(1e6)
		change(&o)
		got := ""
		if _, err := Compute(o); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(func(*Options) {}, "")
	f(func(o *Options) { o.EventsPerDay = MostEvents }, "")
	f(func(o *Options) { o.EventsPerDay = math.NaN() }, "--events-per-day: NaN is not 1 to 10,000,000,000")
	f(func(o *Options) { o.EventsPerDay = math.Inf(1) }, "--events-per-day: +Inf is not 1 to 10,000,000,000")
	f(func(o *Options) { o.Sites = -1 }, "--site-count: -1 is not 0 to 10,000,000")
	f(func(o *Options) { o.Peak, o.Replicas = 0.5, 0 }, "--peak: 0.5 is not 1 to 100\n--replicas: 0 is not 1 to 7")
	f(func(o *Options) { o.Retention = 91 * day }, "--retention: 91d is not 1h to 90d")
}

// What is computed, against two loads that were measured, F and S of measured.go: the deviations are those of
// docs/sizing.md.
func TestRecorded(t *testing.T) {
	f := func(name string, rate, density, perRecord, perFile float64, want map[string][2]float64) {
		t.Helper()
		c := costOf(density, perRecord, perFile)
		cpu := c.collect + c.process + c.emit + c.archive + queryMicros/rate
		for _, idle := range idleCores {
			cpu += 1e6 * idle / rate
		}
		for what, got := range map[string]float64{
			"cpu": cpu, "events": c.events, "changelog": c.changelog, "windows": c.windows, "parquet": c.parquet, "local": c.localStore,
		} {
			w, ok := want[what]
			if off := 100 * (got/w[0] - 1); ok && math.Abs(off-w[1]) > 1 {
				t.Errorf("%s: %s is computed as %.0f, measured %.0f: %+.1f %%, was %+.0f %%", name, what, got, w[0], off, w[1])
			}
		}
	}
	f("small", 60, 15, 1.1, 75, map[string][2]float64{"cpu": {1854, -13}, "events": {460, -8}, "changelog": {321, -12}, "windows": {2143, -6}})
	f("large", 500, 30, 5, 625, map[string][2]float64{
		"cpu": {710, 13}, "events": {198, 0}, "changelog": {147, 0}, "windows": {1926, 0}, "parquet": {54, 0}, "local": {324, -3},
	})
}

func TestTable(t *testing.T) {
	x := table{{1, 100}, {100, 1}}
	for _, c := range [][2]float64{{0.1, 100}, {1, 100}, {10, 10}, {100, 1}, {1000, 1}} {
		if got := x.at(c[0]); math.Abs(got-c[1]) > 1e-9 {
			t.Errorf("at %v %v, want %v", c[0], got, c[1])
		}
	}
	for _, x := range []table{firedPoints, windowsBytes, minutePoints, visitPoints, collectMicros, eventsBytes, changelogBytes, parquetBytes} {
		for i, row := range x {
			if row.value <= 0 || row.density <= 0 || i > 0 && row.density <= x[i-1].density {
				t.Errorf("row %d of %v", i, x)
			}
		}
	}
}

// A plan names what it is for, and one process where that is enough.
func TestString(t *testing.T) {
	small := mustCompute(t, func(o *Options) { o.EventsPerDay = 50_000 })
	if !small.OneProcess || !strings.Contains(small.String(), "one process") {
		t.Errorf("no single process in\n%s", small)
	}
	large := mustCompute(t, func(o *Options) { o.EventsPerDay = MostEvents; o.Sites = 100_000 })
	if large.OneProcess || strings.Contains(large.String(), "one process") || large.Partitions <= 64 {
		t.Errorf("a single process in\n%s", large)
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		v    float64
		want string
	}{{0, "0"}, {0.0123, "0.0123"}, {4, "4"}, {11_574, "11,600"}, {1e10, "10,000,000,000"}, {999, "999"}, {1000, "1,000"}, {1234.5, "1,230"}, {-5000, "-5,000"}} {
		if got := number(c.v); got != c.want {
			t.Errorf("%v: %q, want %q", c.v, got, c.want)
		}
	}
	for n, want := range map[int64]string{0: "0 MB", 1_500_000: "1.5 MB", 999_000_000: "999 MB", 2_340_000_000: "2.34 GB", 5e15: "5 PB", 5e18: "5,000 PB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
