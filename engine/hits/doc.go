// Package hits makes rows of events and of visits out of a partition's log: what a query needs to answer by any dimensions and
// filters together, which no rollup holds, and to the very numbers that the rollups have.
//
// Out of the records of millrace.events, in the order of the log, engine.Ledger makes hits (a row for each event that is counted,
// with all that is derived of it), joins (of two visits that a late event made one) and visits (a row for each, once it has
// ended). This package says what they are, and folds hits to visits:
//
//	folds, joins := map[visit.ID]*hits.Fold{}, hits.Joins{}
//	…                                  // joins.Add(j) for all joins
//	id := joins.Of(h.Visit)            // of each hit that has one
//	if folds[id] == nil {
//		folds[id] = hits.NewFold(id)
//	}
//	folds[id].Add(h)
//	v := folds[id].Visit()
//
// Nothing is derived here. Which events are duplicates, bots or too late, what their dimensions are and which visit they are
// of is decided by the code that counts windows, which a Ledger shares with Core; and no reader of hits derives anything either.
//
// # Rows
//
// A hit is given once, with its record, and never changes. That is possible because windows count an event in the same way:
// under the dimensions that its visit had when the event came. So sums over hits are the rollups of minutes and hours at any
// time, whatever came late, and a file of hits is right for good.
//
// What late events do change is visits: where one begins, what its dimensions are, and that two of them are one. Therefore
//
//   - A visit is named by the place of the event that began it in the log (visit.ID). The name stays when an earlier event
//     comes, and when the visitor's hash changes with the salt. Times and visitors are no names: both change.
//   - Two visits that become one are a join. Hits that were given to the one which is no more are the other's from there on:
//     a reader looks them up (Joins), and whoever writes hits anew writes the newer name.
//   - A visit has one row, and it is given when nothing can change it any more: when the watermark is Timeout and Lateness past
//     its last event (an hour and a half by default), or earlier if it may take no more events. Until then it is the fold of its
//     hits (Fold), and so it is afterwards.
//
// The other way would have been to give a visit's row again whenever it changes, under a higher version, so that readers take
// the newest. It was dropped: nearly every event changes its visit, so there would be as many rows as hits; a file could not
// be read without all those after it; and rows of finished visits would have to be told from others in any case, for merging.
//
// # Invariants
//
//   - Hits, joins and visits are a function of the log, the rules and the deriver: they are the same, in the same order, wherever
//     the log is cut into segments and whichever Ledger goes on from a checkpoint. So are checkpoints, given the cuts.
//   - Sums over the hits of a class are the windows of minutes and hours in all families, and sums over visits those of
//     visits, at each record of the log: where no budget of values is reached, and for a stream that has the same rules.
//   - Each human hit is in one visit, unless its visitor is 0 or its site has more than MaxVisits.
//   - Each visit joins another or has a row, which is the fold of its hits.
//
// # Which events have hits
//
// Human events, and bots that a window counts (Human, Bot). Events that come after their minute has closed (Dropped): the
// stream counts them in the family Dropped of another minute only; they keep the dimensions that they would have counted
// under. Pings of people (Ping): a query takes time on page and scroll depth from them, and a visit may owe its end to one. No
// hits have duplicates, bots that the site does not count or that are too late, and pings of bots.
//
// Goals are not stored: they are a function of name and page, and a query knows those of today.
//
// # Imported events
//
// Files that were imported are no log, and are counted by hour (package replay), which makes hits of them by the same code, in the order
// in which it counts them. Their visits are named by a hash of a place (visit.HashedID) and join none of a log; all of them have rows. No hit is
// Dropped. A file that comes later changes hits that are there, so those of whole days are replaced: see package lake.
//
// # Erasures
//
// A visitor may be erased up to a moment: whoever writes or reads files of hits leaves his hits, visits and joins out (package
// emit/lake). A Ledger knows of none, so that visits have the names that they have in any case.
//
// # Checkpoints
//
// A checkpoint holds what has changed since the one before: ids seen, some 8 bytes an event, and visits, some 50 bytes for each
// that has changed. engine.Needed tells which ones have to be kept: those of the last ten minutes, for duplicates, and of the last
// hour and a half, for visits; more if a client is trusted to send events of the future. They are of the same rules and deriver.
// After other rules hits are another generation, made from the beginning of the archive.
//
// # Units
//
// Offsets are Kafka's. Times are event.Time, ms since the epoch, UTC. Memory is that of the engine's live visits and ids, and 16
// bytes for each visit.
//
// # Who may call it
//
// The package is a leaf: writers and readers of hits share it, and anybody may use it from any goroutine. A Ledger is meant for
// the archive role, one for each partition, and for what makes an archive's hits again. What a Sink is given is valid during the
// call: Clone what is kept.
//
// # What it does not do
//
// It writes no files and knows no store. It does not resolve joins in hits that it has given, sort them by day or visitor, or
// evaluate goals: that is for merging and for queries.
package hits
