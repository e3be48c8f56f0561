// Package check tries what a process would use, one thing after the other, and prints what is found.
//
// In goes a list of named probes, which the package that uses the thing makes; out come a line for
// each, and how many failed:
//
//	failed := check.Run(ctx, os.Stdout, []check.Probe{
//		{Name: "kafka", Run: cluster.Reach},
//		{Name: "topic millrace.events", Needs: "kafka", Run: …},
//	})
//
//	ok    kafka                  3 brokers, cluster 5L6g3nShT-eMCtK--X86sw
//	FAIL  topic millrace.events  it is compacted …
//
// Invariants:
//   - A probe changes nothing that stays, and works beside processes that run.
//   - What a probe returns is in the words of serve's flags, says what to do, and has no secret.
//   - All probes run, but those that need one that failed.
//
// millrace check calls it, with the probes of cmd/internal/server. The package knows of no flag,
// topic or store.
package check
