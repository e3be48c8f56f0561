// Package gate lets a role work only while it can.
//
// In go a role's function, a probe that tries the rights which the function uses, and what the
// function waits for while it runs. Out comes a function that proves the rights first, and the
// reason why the role does not work, for a readiness check:
//
//	g := gate.New(gate.Options{Name: "emit", Probe: sink.Probe, Waiting: sink.Waiting, Log: log})
//	task := supervise.Start(ctx, "emit", log, g.Guard(emitter.Run))
//	ready.AddWhy("emit", g.Why)
//
// A role that reads a topic in a consumer group holds partitions, and what it can't do with them
// no other member does. So it joins after its probe has succeeded, and leaves when it has waited
// for the same thing for longer than Patience: then a member that can work has its partitions. If
// there is none they wait in Kafka, which loses nothing. It joins again once the probe succeeds.
//
// Invariants:
//   - The function never runs before a probe has succeeded, nor twice at a time.
//   - Why is an error whenever the function does not run, and after it has failed until the next
//     run has lasted Settle.
//   - Once the context is done, no more than the probe or the function under way is waited for.
//
// Why may be called from any goroutine. The package does not judge errors: one that is for good
// is probed again like any other, because a right is given and a server repaired without a
// restart of ours.
package gate
