// Package sizing computes what a number of events a day takes: processor cores, partitions, brokers,
// nodes, disks, and bytes in a bucket and a rollup store.
//
// In go Options; out comes a Plan, to print or as JSON:
//
//	plan, err := sizing.Compute(sizing.Defaults(1e9))
//	fmt.Print(plan)
//
// What an event takes depends on how many of its site come in a minute, more than on anything else: a
// window has as many points as values were seen in it, and is written again whenever it is updated. So
// the measured figures (measured.go) are tables over events a site and minute, and are interpolated
// between their rows, in logarithms. Behind the last row the last one counts, before the first one the
// first. docs/sizing.md has the arithmetic.
//
// Invariants:
//
//   - No figure of measured.go is made up: each names the run that it comes from.
//   - More events, sites, copies or days never take less of anything in total.
//
// Units: events, seconds, bytes, and microseconds of processor time, as the names say. It measures
// nothing; millrace-verify roles does.
package sizing
