// Package readertest is what every store of rollups must satisfy: a suite that writes windows
// through the store's sink in all the ways live emit and replay do, and compares what its reader
// and the query API over it answer with a recount of its own.
//
// In goes a function that opens an empty store; out come test results. A store's test is
//
//	func TestConformance(t *testing.T) {
//		readertest.Run(t, func(t *testing.T) (readertest.Sink, query.Reader) { … })
//	}
//
// Invariants it checks: an older version never replaces a newer one; parts of one version add up; a
// newer version replaces the window as a whole, and only the one of its kind; what it no longer
// holds is gone, or is there with zeros only (stores that can't delete); shards don't touch each
// other; points come in ascending order of start; sketches come back byte for byte; answers equal a
// count of the rows. It leaves open what a version does that is delivered again after a replay has
// replaced it.
//
// It is deterministic. Tests of other packages import it; it does not start any server.
package readertest
