// Package replay recomputes windows from the archive of raw events: to rebuild a store of rollups, to repair it
// after a rule was corrected, to count an import, or to prove that the store is right.
//
// In go the events of a range of minutes, hour by hour, from a [Lake]. Each goes through the engine's own code,
// facts.Deriver and window.Agg; there is no second way of counting. Out come whole windows: for a [Sink], or to be
// compared, point by point, with what a [Reader] holds.
//
// Modes:
//
//	Write   windows of the range that differ are replaced, and windows that the archive has nothing for are
//	        cleared. Afterwards Verify finds nothing.
//	DryRun  what Write would change, without changing it.
//	Verify  the same comparison; whoever asked calls differences a failure.
//
// Two Rollups are the same if events, pageviews, visitors and the bytes of the sketch are. Points of several
// shards are added up first, and a point of nothing but zeros is no point, since that is how some stores delete.
//
// Invariants:
//   - An event belongs to the minute of its Time, and the archive's answer does not depend on the order in which a
//     lake delivers the events of an hour. Order matters only where a family is past its budget ("the
//     first N values in log order"); such minutes are read again and put into the order of topic, partition, offset and
//     index.
//   - Replaying twice changes nothing the second time.
//   - Nothing at or past Lake.CompleteUntil is touched: there the archive does not have all events yet. An explicit
//     Options.To past it is an error, an open one stops there.
//   - An open Options.From starts at the archive's first hour, so that rollups that are older than an archive
//     with a retention stay. An archive without a single event in an explicit range does not clear the store either: it
//     is [ErrEmpty].
//
// Events that came too late for their window are in the archive, and so replay counts them: that is the repair of
// such windows. Until then Verify shows them, as differences of the window's points and as a point of the
// family dropped that the archive does not give.
//
// Units: event.Time is in milliseconds, ranges are [From, To) and whole minutes.
//
// Memory: the rollups of one hour of the archive, of all sites unless one is asked for; rows only of minutes
// that are past the budget, about 60 MB of them at a time or one minute.
//
// Run is called by package cmd, one at a time per store. It does not know formats of files or stores, prints
// nothing, and does not follow the live stream.
package replay
