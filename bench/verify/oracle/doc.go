// Package oracle counts a log by the definitions of docs/counting.md, as plainly as they can be
// written down: one event after the other, maps and lists, one window at a time.
//
// In go the records of one partition's log, in its order, as the one who made them knows them (not
// as they were encoded); out come the windows that there have to be, with every value, and what
// became of each event (Counters). Package tally compares them with what the engine wrote.
//
//	o := oracle.New(oracle.Rules{Lateness: event.Hour})
//	for … {
//		o.Record(collector, low, len(events) == 0, events)
//	}
//	verdict := tally.Compare(o.Windows(), written, tally.Options{Errors: 3})
//
// It is the one recount of the Go harnesses: chaos, the simulator and the attack differ in the logs
// that they make and in what they do to the engine, not in how they count. What it knows:
//
//   - time: when a minute is late, when it has closed, when a collector no longer holds it up
//     (clock);
//   - duplicates, by id and receive time (ids);
//   - visits by their definition, with the visitor's hash of the day before, and the values that an
//     event has of its visit as that was when the event came (visits);
//   - minutes, hours and quarters of an hour in all families, and the budget of values (fold).
//
// Invariants:
//   - Of the engine it knows the vocabulary: events, and the names of families and of sets of what
//     is lacking (package window). It knows nothing of deltas, chunks, journals, caches or stores,
//     and no code that counts is shared.
//   - It works no fact out: what an event is counted under, its maker says (Facts). So the parsers
//     of package enrich are under test where a log carries real user agents and addresses.
//   - It forgets nothing, and so has no rule for what a bounded state does: not for the most ids of
//     a partition, and for the most visits of a site only as long as none is forgotten
//     (Rules.MaxVisits).
//
// Times are event times. It is not safe for concurrent use.
//
// Beside it stand, on purpose: the SQL of package month, which is the second, independent oracle
// and starts from the archive's files; the model of visits in the tests of package visit, which
// looks at each change rather than at the end; and the model of emit/readertest, which counts rows
// to answer queries and proves the query layer, not the counting.
package oracle
