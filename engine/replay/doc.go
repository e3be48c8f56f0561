// Package replay recomputes windows from the archive of raw events: to rebuild a store of rollups, to repair it
// after a rule was corrected, to count an import, or to prove that the store is right.
//
// In go the archive's events of a range of time, from a [Lake]. Each goes through the engine's own code: engine.Counter
// finds duplicates, rows and visits, window.Agg folds; there is no second way of counting. Out come whole windows of
// all kinds: for a [Sink], or to be compared, point by point, with what a [Reader] holds.
//
// Modes:
//
//	Write   windows of the range that differ are replaced, and windows that the archive has nothing for are
//	        cleared. Afterwards Verify finds nothing.
//	DryRun  what Write would change, without changing it.
//	Verify  the same comparison; whoever asked calls differences a failure.
//
// Two Rollups are the same if all their counters and the bytes of the sketch are. Points of several shards are added up
// first, and a point of nothing but zeros is no point: that is how some stores delete, and what a window of visits keeps
// of a value whose visits turned out to be others.
//
// # Order
//
// Visits, duplicates and which values come first in a budget follow from the order of the log, so each partition's log
// is read in that order: segment by segment, a segment's files together, sorted by offset and index. All is driven by hours of
// event time: for each hour of the archive, ascending, every partition reads on until it has passed the last segment
// with events of the hour (cursor). Then the hour's minutes are complete, and the hour, which is folded from them. Windows of
// visits are complete when all events have been read that could belong to a visit that began in them: 13 hours with
// the default rules, which is called reach below. A visit is forgotten when no event can touch it any more.
//
// For what it recomputes, a replay of [From, To) reads from reach before From to reach behind To, where the archive has it.
//
// Imported files (topics "import-...") are no log. Hour by hour, their events come by topic, partition and position in
// the file, and an id counts once; the visits of all of them are found together. The order within an hour
// decides two things only: under which dimensions an event is counted that is read before the first
// pageview of its visit, and which values of a family come first, and so are kept.
// Where a site has both, a window holds the sum, the stream's rows first.
//
// # Invariants
//
//   - If the stream has dropped no event as too late, the windows are those of the stream, byte for byte but for the version.
//     An event that it has dropped is counted where it belongs: that is the repair of such windows. Until then
//     Verify shows them, as differences of the window's points and as a point of the family dropped that the archive
//     does not give.
//   - The windows do not depend on how the log was cut into segments, nor on the range or site asked for. (Exceptions: a
//     visitor who never pauses for as long as reach may have his visits cut at other places when a range
//     begins in the midst of them; and a partition whose visits or ids were more than the engine's bounds.)
//   - Replaying twice changes nothing the second time.
//   - Nothing at or past Lake.CompleteUntil is touched: there the archive does not have all events yet. An explicit
//     Options.To past it is an error, an open one stops there. An hour is left out until its end is two minutes behind,
//     as the stream fires it a while later; and Verify passes over one that has an event from the last two minutes of the log, for
//     which the stream may still have to fire it again. A window that the store may be ahead with
//     (Options.Ahead) is left as it is. Windows of visits that may still go on at the end of the archive are the
//     stream's: Verify passes them over, Write puts them where the store has nothing at all.
//   - An open Options.From starts at the archive's first hour, so that rollups that are older than an archive
//     with a retention stay. Of an archive that began in the midst of the log it starts at Options.CompleteFrom, and an
//     explicit one before that is [ErrBegan]: the stream counted events there that the archive does not have. An archive without a single event in an explicit range does not clear the store either: it
//     is [ErrEmpty].
//
// Events further than reach from the time at which the log had them are read out of the log's order, when their
// own hour comes, so that no windows stay open for days: they find their visits, but duplicates only among themselves, and
// come behind the others in the order of a budget if they were late.
//
// Segments overlap only where somebody has deleted the archive's progress. What two of them hold counts once, and may
// come a segment too early in the order.
//
// [Hits] makes hits and visits of imported events (package hits) in that very order, in the place of windows: for an archive, which has those of
// the stream from its own pass over the log. Of days of visits they are right if files from [HitsReach] before to so long behind are read,
// which it does.
//
// [Options.Hits] makes those of the stream beside windows, of the same calls of the Counter: names of visits are those of engine.Ledger.
//
// Versions: windows of all kinds carry Options.Version, the last offset of their partition's log that the archive has.
//
// Units: event.Time is in milliseconds, ranges are [From, To) and whole minutes.
//
// Memory: the rows of one segment (some 100 MB at 250,000); for each partition the ids of the last ten minutes of its log
// and the live visits of two or three hours, up to four times as many as the engine's bound; the state of the windows of the
// hours between the one that is finished and the ends of the logs read, and of visits of reach hours; of finished
// points Options.MaxPoints of each kind (200,000: 150 MB) and an hour of one site, and what the store has of one site.
//
// Run is called by package cmd, one at a time per store. It does not know formats of files or stores, prints
// nothing, and does not follow the live stream.
package replay
