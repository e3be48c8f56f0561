// Package sim drives the engine's real core and its real store through random schedules of
// everything that goes wrong, and checks every window of every kind at the end against a count that
// shares no code with them: minutes, hours, and visits by their definition. No record may have two
// deltas, whoever works it out.
//
// In go a seed and rules to take out; out comes a Result: what happened, and which windows ended
// with a wrong value. The count is package oracle's. One partition lives on two disks (Pebble on
// its crashable memory file system). Its owners crash (what was not flushed is lost), lose their
// disk, are replaced while they still run and go on writing (zombies); events come late and twice;
// their produces fail for good, are acknowledged late or are written twice; the changelog's
// beginning expires; records are delivered again from the last commit. With BadDisk the disks
// refuse writes, too.
//
// Seeds differ in more than their schedule: in rules (lateness, silent collectors, early firing),
// in the log, and in bounds so small that a short log reaches them: of caches, compaction and
// records, of values, ids and visits. What the count does not model of the last three is compared
// with a run of the same seed without faults and small caches, byte for byte.
//
// A schedule is a function of its seed, and of what Pebble has written in the background by the
// time of a crash: a seed that was wrong may have to be played some times to be wrong again. Real
// are: Core, Partition, state.Store, event and window codecs, and the prefix commit. Simulated are:
// the log, the changelog, the windows topic, the group's committed offset, a sink that knows
// versions, and time.
//
// The simulator is the proof that the rules of package state are needed and suffice: with each of
// them taken out it finds wrong windows.
package sim
