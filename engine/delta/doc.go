// Package delta is the journal entry of the engine: all that one input record does to a partition's state.
//
// In go the core's findings about a record; out comes one value for the changelog, which the state store
// applies in one batch. A delta is a pure function of the log up to its record, so two owners of a partition
// write the same bytes, and applying the deltas in order gives the state on any machine.
//
// Invariants:
//   - Deltas of a partition form a chain: Prev is the Offset of the delta before. A reader that meets one whose
//     Prev it does not know has met an early one, and waits for its like to come again.
//   - Every record has a delta, also one that can't be decoded (it has no Adds).
//   - Decode is total: any bytes give a delta or an error.
//
// Units: offsets are those of the events topic; times are event.Time.
//
// The package is a leaf beside window: engine writes deltas, state applies them, and neither knows the other. It
// does not interpret Meta (the core does) nor chunks (package window does).
package delta
