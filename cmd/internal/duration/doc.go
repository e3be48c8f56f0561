// Package duration reads and writes durations as operators do: 5ms, 2s, 10m, 1h, 7d or 1d12h.
//
//	d, err := duration.Parse("1d12h")
//	fmt.Printf("%s is too long", duration.Text(d)) // 1d12h is too long
//
// Invariant: Parse(Text(d)) is d. A day is 24 hours and a week is seven days, whatever the clocks
// of a time zone do.
//
// The programs' flags are read by it (package cli), and findings about them are written by it. It
// does not read what time.Duration.String writes for a day or more in another way than
// time.ParseDuration.
package duration
