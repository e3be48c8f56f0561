// Package audit is the self-audit of serve: all day, slowly, it counts closed hours again from the
// archive and compares every number with the rollup store, as "millrace replay --verify" does.
//
// In go the two stores and a share of a processor core; out come metrics, a note for /readyz and
// log lines:
//
//	a := audit.New(audit.Options{Stores: set, Share: 0.02, By: by, NewDeriver: derive, …})
//	err := a.Run(ctx)      // until ctx ends
//	text := a.Note()       // from any goroutine
//
// # Which hours
//
// Those of offline.Session.Closed: final, archived, past what comes late and the visits that began
// in them, and counted by what this process counts by. Every second one is the latest that has not
// been compared, the others are picked at random; once each has had its turn (a cycle, or a
// restart), all begin again. Of more than 1,000 sites each recount takes a random part.
//
// # What is wrong
//
// A number is wrong if two recounts, one after the other, give the same difference, and nothing
// else explains it: no import or replay is at work (offline.Busy), the stream has dropped no event
// nearby as too late, the archive provably has all that the recount reads, and an InfluxDB, which
// may have a rule of retention, has older numbers of the site. What can't be judged is skipped, by
// its reason. A store that is away, an archive without the file, the end of the process: none of
// them is a finding.
//
// Any number of processes may audit the same stores. Each picks by itself.
//
// # What it costs
//
// Visits make a recount of an hour read the archive from 13 hours before it to 13 hours behind it.
// The share is kept by measuring the processor time of the thread that counts, and pausing; what
// the garbage collector and connections do for it comes on top. Of a bucket at most
// 10 requests are made in a second; what an InfluxDB takes to answer counts like processor time. Memory is that of a replay: the rows of one segment of the
// archive, and the live visits of a few hours; but of finished numbers it holds 20,000 of each kind of window, some
// 15 MB, and one hour of one site.
//
// An Auditor has one Run or one Cycle at a time. It writes nothing to either store. Cycle compares
// every hour once, without pauses between them: proofs call it for stores that are at rest.
package audit
