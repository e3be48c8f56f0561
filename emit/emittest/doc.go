// Package emittest is what every sink of package emit must satisfy: a suite that runs a Consumer
// from a Kafka in the process into the sink of a store, stops it, breaks it and starts it again.
//
// In goes a function that opens an empty store; out come test results. A store's test is
//
//	func TestConsumer(t *testing.T) {
//		emittest.Run(t, func(t *testing.T) emittest.Store { … })
//	}
//
// [Kafka] is also there for tests of one sink alone: it has the topics of a Consumer, takes
// windows, and reports what the group has committed.
//
// Invariants that the suite checks: the newest version of a window stays, whatever comes again;
// what can't be stored is a dead letter, whole; nothing is committed that the sink has not; a run
// that failed is caught up by the next.
//
// Units: offsets are Kafka's, versions of windows any.
//
// Tests import it. It starts no process and needs no server, and does not check what a reader
// returns: see package readertest.
package emittest
