// Package local is the embedded rollup store: fired windows on Pebble, their writer and their
// reader.
//
// In go windows and progress, whole: Store.Write (live), Store.ReplaceArchived and
// Store.ReplaceSettled (replay), Store.WriteProgress. Out come the points of a family of a site in
// time order (Store.Scan), the sites (Sites) and the last progress of each partition (Progress). DeleteBefore deletes the windows
// of a site that are older than it keeps. A Store is an emit.Sink: the
// emit.Consumer fills it from the topic millrace.windows.
//
// Invariants:
//   - A window is written as a whole, together with its version, in one batch. A firing that takes
//     several records grows part by part; progress past it comes behind its last part.
//   - Write ignores a window that is older than the stored one of the same kind, site, shard and
//     start (rule J10). The same version again writes the same again, or adds the next part.
//     WriteProgress ignores an older offset of a partition.
//   - Replace writes whatever the versions are and leaves the stored one as it was, so that a later
//     live firing of the window still wins; the same firing, delivered again, does not.
//   - What a window no longer holds is gone after a newer Write and after Replace. Windows of other
//     shards and kinds stay.
//   - Scan sees one state of the store, from its call to its end.
//   - Sums of days, which Scan gives where Selection.Days lets it, are those of the windows that there
//     are: a batch that writes or deletes a window takes away the sums it is part of.
//   - A write that has returned survives a power loss (unless Options.NoSync).
//
// # Layout
//
// Keys sort as their fields do, one after the other. Strings end in 00 (sites) or are escaped so
// that a longer one sorts behind its prefix (values); numbers are big-endian, times with their sign
// bit flipped.
//
//	01 site kind family start shard value value   rollup: flags, counters of the kind, sketch
//	02 site kind start shard                      window: version, whether replaced since, families that have points
//	03 partition                                  progress: low, hours, offset
//	04 site kind family day 00 value value        sums of a day: points, up to the one with these values
//	04 site kind family day 01                    the last of them
//	05 site kind day                              families that have sums of the day, or for which they are not worth it
//	00 "format"                                   number of this layout
//
// A folder of another layout is refused: what it holds is derived, so it is removed and filled
// anew, by the consumer with what Kafka still holds and by replay with the rest.
//
// A point knows the family's values by its key, so that a range of one family of one site is one
// run of keys, and one value of it is found by seeking. The shard comes before the values, so that
// a window's points of a family lie together. A firing that repeats a window writes what has
// changed and deletes what has gone, key by key: a range tombstone per window and family would slow
// down every scan. Only DeleteBefore deletes by range, and Open if it can't trust the sums of days.
//
// # Sums of days
//
// A family of hours, or of visits, is summed up by the day (of UTC) in the background, once a Scan has
// met the day without sums, one day at a time and for half of a processor at most. There are none where
// they would be more than half as many as the points they are of, and none of what is not asked for.
// They are no part of the format: a build that does not know them passes over them, and where one has
// had the folder open they are taken away.
//
// Units: times in milliseconds (event.Time), sizes in bytes. Counters are signed.
//
// A Store may be used by any number of goroutines; writers take turns.
//
// It knows no time zones, folds no minutes into hours, and makes no request to Kafka.
package local
