// Package bench measures Millrace: workloads that are pure functions of their seed, and harnesses
// that run the real parts on them and check the result before they report a figure.
//
// In go sizes and a seed; out come Reports.
//
//	report, err := bench.Engine(ctx, bench.EngineOptions{Events: 1_000_000, Seed: 1})
//	fmt.Print(report) // events per second, per core, bytes per event; "recount equal"
//
//	stream := bench.NewWorkload(bench.WorkloadOptions{Seed: 1})
//	e := stream.Next() // valid until the call after
//
// Invariants:
//   - Every figure is of work whose outcome was compared with a recount (package tally) that shares
//     no code with the engine. A run that counts wrong reports an error and no figure.
//   - Processor time is the process's own user and system time, of everything in it, the embedded
//     broker included.
//   - The same options give the same stream, event by event.
//
// Units: events, seconds, bytes, as the fields say. Results are kept under results/ as dated text,
// appended and never replaced.
//
// The command millrace bench calls it; what proves rather than measures is in bench/verify, takes
// its workloads from here, and is not linked into that program. It does not compare machines: an
// absolute figure means nothing without one measured in the same run.
package bench
