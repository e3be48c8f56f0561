// Package engine turns the log of events into windows: a pure core, the rules of when a window fires, and the
// goka processor around them.
//
// In go records of the topic millrace.events; out come deltas (to the state store and the changelog), fired windows
// and progress (to millrace.windows) and letters about records that can't be read (to millrace.dead).
//
//	goka record -> Partition.Process -> Core.Step -> delta -> store (one batch) and changelog
//	                                              \-> fired windows, whole -> millrace.windows
//
// A window that fires is folded from memory while it is open (hotWindows, a cache) and from the store otherwise.
//
// Core is a state machine without clock, I/O or goroutine: the same log gives the same deltas, byte for byte,
// whatever was killed in between. Partition drives it for one partition and decides what a record that comes again
// has to emit once more. Processor is the thin shell that goka sees.
//
// Ledger reads the same log with the same code, and makes hits of it in the place of windows: a row for each event with its
// dimensions and its visit (package hits). What decides about an event is in one place, reading, which both are built on.
//
// Invariants:
//   - Time is the log's: the watermark is the least of the collectors' low values, and every decision that
//     depends on time depends on it. No wall clock, random number or map order changes a delta or a window.
//   - Every record has exactly one delta. A record that was applied before emits what it emitted then.
//   - A record is finished only when its delta and all its windows are acknowledged (goka's promises; rule J7).
//
// Units: event.Time in ms; offsets of the log.
//
// One goroutine owns a Partition and its Core, goka's partition goroutine. The stores come from outside (Options):
// the package does not know Pebble, InfluxDB or HTTP.
package engine
