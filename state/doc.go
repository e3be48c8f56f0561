// Package state is the engine's state of one partition: a Pebble store that applies deltas, and the
// journal rules that keep it, the changelog and the committed offset in step under kill -9, power
// loss, wiped disks and owners that outlive their successor's start.
//
// In go deltas (live through Apply, recovered through Recover), acknowledgements (Acked) and
// committed offsets (Committed); out come deltas to be written again (Outbox), lists of windows to
// be fired again (Fired) and windows (Fold).
//
//	table := state.NewTable(options)    // goka's table, of one store for each partition
//	store, ok := table.Store(partition) // while the partition is this process's
//	err := store.Apply(delta)           // goka's Set calls it; nothing is read
//	n, err := store.Fold(window.Minute, site, start, agg)
//
// The rules, by the numbers of the design; each is one place in journal.go:
//
//	J1  Apply takes a delta only if its offset is above the last one applied. That offset is in
//	    the delta's batch.
//	J2  A delta stays in the outbox, in the same batch, until it is known to be in the changelog.
//	J3  The outbox is trimmed only over the contiguous prefix of acknowledged deltas.
//	J5  Recover accepts a delta only if it follows the last accepted one; position, acceptance and
//	    effect are one batch.
//	J6  An own acknowledgement moves the stored position only if it is the next one; else it freezes.
//	J8  A closed window is deleted only when the commit has passed the record that closed it.
//	J11 Which windows a record fired is kept until the commit has passed the record.
//
// (J4 is internal/kafka's, J7 follows from goka's promises, J9 is the changelog's retention, J10
// the sinks'.)
//
// Invariants:
//   - Every batch is atomic and is flushed whole, in order: after any crash the store is what it
//     was after some delta. There is no write-ahead log and nothing is synced: what the disk does
//     not have, the changelog has. A crash takes a memtable with it, or ten minutes of log time,
//     whichever is less.
//   - A write that the disk refuses is a crash: nothing more reaches the disk, and the next call
//     returns ErrDisk. What is opened after that is the state after some delta.
//   - The hot path reads nothing: a delta's windows are appended to by Pebble's merge operator.
//
// Units: offsets of the log ("offset") and of the changelog ("position") are different numbers.
//
// Apply, Recover, Outbox, Fired and Fold belong to one goroutine, the partition's. Acked and
// Committed may be called from any.
//
// It does not decide anything about events, watermarks or firing, and does not talk to Kafka.
// Table plugs it into goka.
package state
