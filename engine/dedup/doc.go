// Package dedup remembers which event ids a partition has seen lately, so that an event that is sent twice counts once.
//
// In go the events of the log, in order: site, id, receive time. Out come whether the id is new, and per record a
// journal of the ids it brought, from which another Set becomes the same.
//
// The clock is the log's: the greatest receive time of any event so far, cut to minutes. An id is known in the minute
// in which it was counted and in the Horizon after that: with a horizon of 10 minutes, until 10 to 11 minutes of
// the log have passed. Seeing it again does not make it known for longer.
//
// A step of the clock by more than one and a half Horizons at once counts as one minute: the log was silent, or a
// collector's clock is wrong. So no clock that jumps an hour ahead, or a year, pushes out ids, and a retry of what was sent
// before the jump counts once. The price: where a partition has no event for longer than that, ids are known for so much
// longer. The bound is no lower because a copy that comes a quarter of an hour later in a quiet partition is another event. The
// watermark as the clock would not help, because that of a lone collector jumps as far; and replay, which has to
// answer the same, reads an archive that has no watermarks.
//
// A repeat id ([event.CutRepeat]), which a collector has given to what a browser may send again by itself, is known for seconds
// only: an event is a duplicate if one of its site with the same fingerprint was counted in the same 4 s of receive time, by the
// clock of its collector, or in those before or after. Either may come first in the log, by way of two collectors.
//
// When MaxIDs are remembered, a sixteenth of them is forgotten early: one after the other the oldest id of the site that has
// most; of several such sites the one whose oldest id is of the oldest minute, then the one with the smallest hash. So a
// flood on one site takes all the room that is left, and makes only that site forget: nobody loses an id who has
// no more than 15/16 of MaxIDs divided by the number of sites. Forgetting the oldest minute of all sites would be simpler, but then
// whoever floods one site has everybody's retries count twice. What was counted has not changed; only a copy that comes
// after its id was forgotten counts again.
//
// Invariants:
//   - What Add returns is a function of the log alone: no wall clock, no random number, no map order decides it.
//   - A Set to which all journals since the last SeenFrom have been applied, in order, answers as the one that wrote
//     them. The order of ids of different sites in a minute may be another; nothing depends on it.
//   - No more than MaxIDs are remembered, by however many sites. With the default a full Set has 118 MB, 28 bytes an id, and up
//     to 12 MB more for the moment in which it makes room if there are many sites. What is forgotten early is counted (Forgotten).
//   - Apply is total: any bytes give a Set or an error.
//
// Journals are not bounded by MaxIDs but by the horizon: those of a flood are kept, 8 bytes an id, until the minute in which it
// came is dropped, as long as the same minute has ids of other sites. Of a cut they have only the rule, some ten bytes.
//
// Making room looks at all ids two to five times, 32 to 80 for each one that comes in a flood; if there are more sites than a
// sixth of the ids, up to eight times as often.
//
// An id is kept as the sum of its 64-bit xxHash and that of the site, times a constant. An event is taken for a duplicate by mistake if its hash is
// that of one of n ids remembered: n/2^64, which with 4 million ids is 2 in 10^13; a billion events a day in one partition
// with a full set would meet it once in twelve years. Who makes ids that collide on purpose hides events of his own site.
// A site is kept beside it as 32 bits of its xxHash: sites with the same ones share what room a site has. Of 50 sites two do in
// one of 3.5 million partitions.
//
// Units: times are event.Time (ms, UTC), offsets those of the events topic.
//
// The package is a leaf; a Set belongs to one goroutine. Package engine asks it, package state keeps the journals. It does not
// decide what becomes of a duplicate.
package dedup
