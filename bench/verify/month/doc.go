// Package month makes months of traffic that are hard to count, and has what counts them without
// the engine.
//
// In go a size, a seed and the first day; out comes NDJSON as "millrace import --format events"
// reads it: the sites of Sites, each in a time zone of its own, with visits that cross midnights
// (of UTC, where ids change, and of the zone), changes of summer time and the borders of hours and
// quarters; pauses of 30 minutes to the millisecond; visits longer than 12 hours; events of the
// same instant, events that come before older ones, events that come twice, events of bots.
//
// The other half is not Go: visits.sql finds visits in the Parquet files by their definition, with
// DuckDB; recount.py asks Millrace's API and compares. TestImportRecount in cmd/millrace runs the
// whole.
//
// Invariants:
//   - The same Options give the same bytes.
//   - What the order of the log decides about visits does not occur: in the first hour of a day of
//     UTC events are in order, and so an event under the new id never comes before an older one
//     under the old id. Elsewhere the set of events says it all, but for ties of time.
//
// Units: time.Time, and ms since 1970 in what is written.
//
// Tests and people call it. It counts nothing itself.
package month
