package duration

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Day is the unit d of durations: 24 hours, whatever the clocks of a zone do.
const Day = 24 * time.Hour

// durationForm is a sign and numbers with units, largest first or not: 1d12h, 1.5h.
var durationForm = regexp.MustCompile(`^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h|d|w))+$`)

// durationPart is one number with its unit.
var durationPart = regexp.MustCompile(`(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w)`)

// Parse reads what time.ParseDuration does, and days of 24 hours and weeks of 7 days.
func Parse(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	if !durationForm.MatchString(text) {
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			return 0, fmt.Errorf("%q has no unit: %ss, %sm, %sh or %sd?", text, text, text, text, text)
		}
		return 0, fmt.Errorf("%q is not a duration such as 5ms, 2s, 10m, 1h, 7d or 1d12h", text)
	}
	var sum time.Duration
	for _, part := range durationPart.FindAllStringSubmatch(text, -1) {
		d, err := durationOf(part[1], part[2])
		if err != nil || d > math.MaxInt64-sum {
			return 0, fmt.Errorf("%q is longer than 292 years", text)
		}
		sum += d
	}
	if text[0] == '-' {
		sum = -sum
	}
	return sum, nil
}

func durationOf(number, unit string) (time.Duration, error) {
	times := time.Duration(1)
	switch unit {
	case "d":
		unit, times = "h", 24
	case "w":
		unit, times = "h", 7*24
	}
	d, err := time.ParseDuration(number + unit)
	if err == nil && d > math.MaxInt64/times {
		err = errors.New("too long")
	}
	return d * times, err
}

// Text writes a duration as an operator would: 7d, 1d12h, 1h, 1m30s.
func Text(d time.Duration) string {
	if d < 0 {
		if d == math.MinInt64 {
			return d.String()
		}
		return "-" + Text(-d)
	}
	days, rest := d/Day, d%Day
	text := rest.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	switch {
	case days == 0:
		return text
	case rest == 0:
		return fmt.Sprintf("%dd", days)
	}
	return fmt.Sprintf("%dd%s", days, text)
}
