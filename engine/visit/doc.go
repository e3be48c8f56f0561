// Package visit finds the visits in a partition's events: which events belong together, and what each visit adds to
// the windows of visits.
//
// In go human events and pings in the order of the log (Observe, Ping), in records (Flush); out come the dimensions of each event's
// visit, and for each record chunks of window.VisitRow (what its visits add now less what they added before) and a journal
// of what changed.
//
// # What a visit is
//
// Events of one site and one Visitor (not 0), in order of the log, which for ties of time and for the cap on the length
// decides:
//
//   - An event is one of the visit that holds its time. If there is none, the visits next before and after it may
//     take it: those that are at most Timeout away and would not get longer than MaxLength. If both may, and together are
//     not too long, they become one; if they are too long, the one before takes it. If neither may, it begins a visit.
//   - If no visit of Visitor takes an event, one of VisitorPrev may, by the same rule, and from then
//     on is Visitor's. That visit may lie at most Timeout away from visits that Visitor has already:
//     if one of these is after the event, the visit of VisitorPrev does not take the event; if they
//     are before it, they take no more events from then on. (Both need events that come out of
//     order; a change of salt alone does not lead there.)
//   - A visit begins in the window of its first event. Its dimensions (and hostname) are those of its first pageview, or
//     while it has none of its first event; of several at the same time, the first in the log. An internal referrer
//     gives Source and Referrer None, Channel Direct. Its exit page is that of its last pageview; of several, the last in the log.
//   - It bounced if it has one pageview and no interactive event that is no pageview. Its seconds are last minus first
//     event, rounded down; 0 if it bounced and had no ping.
//   - A ping is no event. It is taken by the visit that would take an event of its time, if that visit began before, and is
//     then the last of the visit or lies within: nothing else of it changes, but that two visits become one between which
//     a ping closes the gap. Without such a visit it does nothing, so that a page left open begins none.
//   - A site has at most MaxPerSite live visits. Events that would begin another are untracked.
//
// Without late events that is: sorted by time, cut where a gap is longer than Timeout or a visit would be longer than
// MaxLength. With late events it is the same where no visit comes near MaxLength.
//
// # Names
//
// Package engine's Ledger has its visits named (Watch): each by the place in the log of the event that began it, which stays the
// same whatever becomes of the visit. A Watcher is told when a visit joins another and when it has ended. A table that names no visits, as the
// engine's does, pays nothing for it, and writes journals and checkpoints of other formats.
//
// # Invariants
//
//   - The sums of all VisitRows of a window are what its visits add, whatever order the events came in.
//   - All output is a function of the log: two tables fed the same give the same bytes, and Expire changes nothing but
//     the count of live visits that MaxPerSite is held against.
//   - A table to which a checkpoint and the journals after it have been applied is the one that wrote them.
//   - Apply is total: any bytes give a table or an error, and take no more memory than some times their length.
//
// # Duties of the caller
//
//   - Observe only events that are neither of bots nor dropped nor duplicates, none older than the minute that Lateness
//     before the watermark lies in.
//   - Flush at the end of each record, Expire with the watermark after it.
//   - To load: Apply the checkpoints in order, then the journals since the last, then Expire with the watermark of the last
//     record, and ExpireBefore what had closed by then, if Lateness was another before. ApplyTail the journals if the beginning
//     of them is gone.
//   - Keep a checkpoint until the watermark has passed its until and a later one is stored; after a load, Until of it.
//
// Units: times are event.Time (ms, UTC). A live visit takes some 150 bytes, more where values are long.
//
// The package is a leaf above window; a Table belongs to one goroutine. Package engine feeds it, package state keeps its
// journals and checkpoints. It does not decide when windows fire, what is a bot, or what an event's dimensions are.
package visit
