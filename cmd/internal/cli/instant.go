package cli

import (
	"io"
	"os"
	"time"

	"millrace/engine/event"
)

// OpenInput opens a file to be read, - for the standard input.
func OpenInput(path string, stdin io.Reader) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(stdin), nil
	}
	return os.Open(path)
}

// Range reads --from and --to: days or instants on whole minutes, "" for 0. A last day is within the range.
func Range(fromText, toText string) (from, to event.Time, err error) {
	if from, _, err = instant("--from", fromText); err != nil {
		return 0, 0, err
	}
	to, day, err := instant("--to", toText)
	if err != nil {
		return 0, 0, err
	}
	if day {
		to += 24 * event.Hour
	}
	if to != 0 && to <= from {
		return 0, 0, Usagef("--from %s is not before --to %s", fromText, toText)
	}
	return from, to, nil
}

// instant reads a day or an instant on a whole minute; "" is 0.
func instant(flag, text string) (t event.Time, day bool, err error) {
	if text == "" {
		return 0, false, nil
	}
	if d, err := time.Parse(time.DateOnly, text); err == nil {
		return event.TimeOf(d), true, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, false, Usagef("%s: %q is neither a day such as 2026-03-01 nor an instant such as 2026-03-01T13:00:00Z", flag, text)
	}
	if t = event.TimeOf(at); t != t.Floor(event.Minute) {
		return 0, false, Usagef("%s: %s is not on a whole minute, which is what numbers are kept by", flag, text)
	}
	return t, false, nil
}
