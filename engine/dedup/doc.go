// Package dedup remembers which event ids a partition has seen lately, so that an event that is sent twice counts once.
//
// In go the events of the log, in order: site, id, receive time. Out come whether the id is new, and per record a
// journal of the ids it brought, from which another Set becomes the same.
//
// The clock is the log's: the greatest receive time of any event so far, cut to minutes. An id is known in the minute
// in which it was counted and in the Horizon after that: with a horizon of 10 minutes, until 10 to 11 minutes of
// the log have passed. Seeing it again does not make it known for longer.
//
// Invariants:
//   - What Add returns is a function of the log alone: no wall clock, no random number, no map order decides it.
//   - A Set to which all journals since the last SeenFrom have been applied, in order, answers as the one that wrote
//     them.
//   - Memory is bounded by MaxIDs: past it the oldest minute is forgotten early. If the current minute alone is as
//     many, the ids that come are not remembered at all. Either is counted (Forgotten).
//   - Apply is total: any bytes give a Set or an error.
//
// An id is kept as the 64-bit xxHash of site, a zero byte and id. An event is taken for a duplicate by mistake if its hash is
// that of one of n ids remembered: n/2^64, which with 4 million ids is 2 in 10^13; a billion events a day in one partition
// with a full set would meet it once in twelve years. Who makes ids that collide on purpose hides events of his own site.
//
// Units: times are event.Time (ms, UTC), offsets those of the events topic.
//
// The package is a leaf; a Set belongs to one goroutine. Package engine asks it, package state keeps the journals. It does not
// decide what becomes of a duplicate.
package dedup
