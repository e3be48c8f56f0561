// Package tally keeps in plain maps what a recount has counted of windows, and compares it with
// what the engine wrote.
//
// In go counts, value by value (Cells), and the windows that were written (Written.Take); out comes
// a Verdict: how much was compared, and a line for each value that is wrong, missing or too much.
//
//	minute := tally.NewCells(500)
//	minute.At(tally.Key{Family: window.Pages, A: "/a"}).Events++
//	…
//	v := tally.Compare(maps.All(want), written, tally.Options{Errors: 3})
//
// Invariants:
//   - Of the engine it knows the vocabulary only: the names of families and dimensions, the form of
//     a written window, and the bytes of a sketch. No code that counts is shared with it.
//   - A value is compared in all it counts: events, pageviews, revenue, visits, and of visitors the
//     sketch byte for byte and the estimate against the number of them. Only a family that a
//     recount does not keep (Options) or can't know (Cells.Unknown) is passed over.
//   - Written is what a sink keeps: the newest version of each window, made up of all its parts.
//
// Times are event times. It is not safe for concurrent use.
//
// Package bench recounts its workload with it, and the oracle of bench/verify counts into it. It
// decides nothing about events: which of them counts where is the caller's.
package tally
