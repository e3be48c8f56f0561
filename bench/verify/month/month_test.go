package month

import (
	"bytes"
	"testing"
	"time"
	_ "time/tzdata" // so that the zones are there
)

// The month is a pure function of its options.
func TestWrite(t *testing.T) {
	write := func(o Options) string {
		t.Helper()
		var b bytes.Buffer
		if err := Write(&b, o); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	a := write(Options{Events: 3000, Seed: 1, First: Autumn})
	if n := bytes.Count([]byte(a), []byte("\n")); n < 3001 || n > 3030 {
		t.Errorf("%d lines, want 3000 and one in three hundred twice", n)
	}
	if write(Options{Events: 3000, Seed: 1, First: Autumn}) != a {
		t.Error("one seed, two months")
	}
	if write(Options{Events: 3000, Seed: 2, First: Autumn}) == a {
		t.Error("two seeds, one month")
	}
}

// In both months each site changes its clocks once.
func TestChanges(t *testing.T) {
	f := func(first time.Time, want ...string) {
		t.Helper()
		for i, s := range Sites() {
			zone, err := time.LoadLocation(s.Zone)
			if err != nil {
				t.Fatal(err)
			}
			got := changes(zone, first, 31)
			if len(got) != 1 || got[0].Format("2006-01-02 15:04") != want[i] {
				t.Errorf("%s: %v, want %s", s.Zone, got, want[i])
			}
		}
	}
	f(Autumn, "2025-10-26 01:00", "2025-11-02 06:00", "2025-10-04 15:30")
	f(Spring, "2025-03-30 01:00", "2025-03-09 07:00", "2025-04-05 15:00")
}
