package duration

import (
	"strings"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	f := func(text string, want time.Duration, back string) {
		t.Helper()
		got, err := Parse(text)
		if err != nil || got != want || Text(got) != back {
			t.Errorf("%s: %v, written %s, %v; want %v, %s", text, got, Text(got), err, want, back)
		}
		if again, err := Parse(back); err != nil || again != want {
			t.Errorf("%s is read as %v, %v", back, again, err)
		}
	}
	f("0", 0, "0s")
	f("0s", 0, "0s")
	f("5ms", 5*time.Millisecond, "5ms")
	f("900us", 900*time.Microsecond, "900µs")
	f("10s", 10*time.Second, "10s")
	f("60s", time.Minute, "1m")
	f("1m30s", 90*time.Second, "1m30s")
	f("1h", time.Hour, "1h")
	f("1h0m5s", time.Hour+5*time.Second, "1h0m5s")
	f("10m", 10*time.Minute, "10m")
	f("24h", Day, "1d")
	f("7d", 7*Day, "7d")
	f("2w", 14*Day, "14d")
	f("1d12h", 36*time.Hour, "1d12h")
	f("1.5d", 36*time.Hour, "1d12h")
	f("1w2d3h4m5s", 9*Day+3*time.Hour+4*time.Minute+5*time.Second, "9d3h4m5s")
	f("-1d", -Day, "-1d")

	bad := func(text, want string) {
		t.Helper()
		if got, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want an error with %q", text, got, err, want)
		}
	}
	bad("", "is not a duration such as")
	bad("soon", "is not a duration such as")
	bad("7", `"7" has no unit: 7s, 7m, 7h or 7d?`)
	bad("7 days", "is not a duration such as")
	bad("1y", "is not a duration such as")
	bad("7D", "is not a duration such as")
	bad("1d-2h", "is not a duration such as")
	bad("200000d", "longer than 292 years")
	bad("9999999999999h", "longer than 292 years")
	bad("100000d100000d", "longer than 292 years")
}
