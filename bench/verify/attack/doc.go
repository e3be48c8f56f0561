// Package attack floods one of 50 sites with random paths and holds that no other site's numbers
// change.
//
// In go sizes and a seed; out comes a Report: how many records of windows differ between a run with
// the attack and one without, and what of the attacked site's own windows a recount has otherwise.
//
//	report, err := attack.Run(ctx, attack.Options{Events: 200_000, Length: 3 * event.Minute, Seed: 1})
//	if errors.Is(err, attack.ErrChanged) { … } // the report has what differs
//
// Invariants:
//   - Both logs are functions of the options, and a record of the one has the offset that it has in
//     the other. So the same windows are the same bytes, versions included, or the attack has
//     changed them.
//   - The other sites are compared byte for byte, each firing of each window. The attacked site is
//     compared with a count by plain maps, which is made after the runs so that its memory is not
//     in theirs.
//   - There is one partition and no broker: what a site may do to another is in the engine and its
//     state.
//
// Times are log time; sizes are bytes.
//
// The command millrace-verify attack calls it. It does not measure speed, and it does not attack a
// collector: package ingest has tests of that.
package attack
