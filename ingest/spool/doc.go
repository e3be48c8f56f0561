// Package spool keeps events on a disk while Kafka does not take them.
//
// In go entries, each a few encoded events of one partition; Append returns when they are on the
// disk. Out they come again, oldest first: Peek, Begin, and Done once Kafka has acknowledged them.
// What was appended and is not done is there after a crash at any moment.
//
//	err := log.Append(entries)        // any number of goroutines, which share one sync
//
//	next, err := log.Peek(n, bytes)   // one goroutine
//	err = log.Begin(next, after)      // from here on they may be in Kafka, behind these offsets
//	…                                 // produce, wait
//	err = log.Done(next)
//
// # Exactly once
//
// An entry may be in Kafka already: its events were handed to a client that got no answer, or the
// process died between Begin and Done. Entry.After says so: a copy of its events can be in the log
// only behind that offset. Whoever drains looks there before he produces it. Begin notes the
// offsets on the disk before the first record goes out, so that the next process knows them.
//
// # Files
//
// A folder has segments, a file "progress", and a file "lock" that the process holds. A segment is a header and frames, and named by the
// number of its first frame; frames are numbered without a gap. A frame is
//
//	4 bytes  length of what follows the checksum
//	4 bytes  CRC-32C of that
//	8 bytes  number of the frame
//	8 bytes  number of the first frame of the group that was written and synced with it
//	uvarint  partition; varint After; varint From; uvarint number of events
//	…        the events, JSON joined by commas
//
// in little endian. A segment is never appended to once it was closed or a write to it failed: the
// next begins with the number behind the last frame that is known to be synced, and what the one
// before has from there on was acknowledged to nobody and is passed over.
//
// At the end of the last segment a frame that can't be read is the write that a crash cut off: it
// ends there. Unless a frame behind it belongs to a later group: then it had been synced, and the
// file is damaged. Open refuses such a folder with ErrDamaged and the name of the file, and so does
// a hole in the numbers. "progress" has two slots that are overwritten in turn, so that draining
// needs no room on a full disk.
//
// Pebble would do as well for entries, but a failed write ends a database, and a full disk is what
// a spool has to live with; and its memory and files are many times of what a spool needs that is
// empty most of the time.
//
// # Invariants
//
//   - Append returns nil only if the frames, and the file's name in the folder, are synced.
//   - Segments are never larger together than Options.MaxBytes, headers and failed writes left out.
//   - A failed write or sync fails all that wait for it. The next Append tries again in a new file.
//   - An empty spool has no segment.
//
// Units: sizes are bytes, times event.Time, offsets those of the topic of events.
//
// It does not: know Kafka, decide what is spooled, or read events.
package spool
