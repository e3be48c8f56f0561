// Package deadletters reads dead letters, and puts their records back, for the commands about them.
//
// In go where the letters are and which are meant; out come entries of package deadletter, and what
// became of those that were retried:
//
//	o := deadletters.Options{Data: "./data", Log: log}
//	err := deadletters.With(o, func(box *deadletter.Box) error {
//		list, err := deadletters.List(ctx, box, deadletter.Filter{Topic: "millrace.events"}, 100)
//		…
//	})
//
// The letters are on a Kafka that is named, in the embedded broker of a running serve, which is
// reached through its socket, or in the log of one that does not run, whose data folder is then
// locked.
//
// Invariants:
//   - Of letters that are named either all are retried or none, unless the broker fails on the way.
//   - What is unreadable by this build is not put back without force.
//   - Errors have no control characters of what letters hold.
//
// It is called by cmd/millrace, by one goroutine. It prints nothing.
package deadletters
