// Package lineage keeps a process from going on with a log that is not the one its state, its
// archive and its consumer groups were made of: another cluster's, one that was cut short,
// deleted and made again, repartitioned, or read too late. Going on would be silent loss, since
// records with known offsets count as applied already.
//
// In go the log as the cluster describes it (topics, their ids and bounds, committed offsets, the
// changelog's end), the identity of the log that is kept in the data folder, and marks: up to
// which offset something was made of the log. Out comes an error that names what does not fit and
// what an operator can do about it, in words of serve's flags. While roles run it stops them for
// good: a role that fails for such a reason would fail for ever.
//
// Invariants:
//   - What the cluster reports is read again before it is a reason to refuse: a broker that has
//     just started may not know a topic yet.
//   - What the cluster does not answer, or does not know, is not compared, and is no refusal.
//   - The identity is written only after everything was found to fit.
//   - A role that was refused does not run again in this process. What Watch finds ends all of
//     them.
//
// Units: offsets are Kafka's; a mark, like a committed offset, is the next one.
//
// It is called by cmd alone: CheckCluster before topics are made, Check before anything reads or
// writes them, then Role and Watch, from any goroutine. It changes nothing in the cluster and in
// no store, and does not repair anything.
package lineage
