// Package lines goes through the lines of a text file and counts what becomes of each.
//
// In goes a text of any origin; out come its lines (Reader), or, for a format that takes an event out
// of a line, the counts of lines that were taken, skipped and malformed (Scanner):
//
//	type format struct {
//		*lines.Scanner
//		ev event.Event
//	}
//
//	f := &format{}
//	f.Scanner = lines.NewScanner(in, 64<<10, f.take)
//	for f.Scan() {
//		write(&f.ev)
//	}
//	report(f.Err(), f.Summary(), f.Malformed())
//
// Invariants: every line is exactly one of an event, skipped for one reason, or malformed. A line
// that is too long or damaged is malformed, and the next one is read.
//
// Units: lines count from 1, lengths are bytes. Memory is one line.
//
// A Reader or Scanner belongs to one goroutine. Packages importer and accesslog read by it. It knows
// no format.
package lines
