// Package salt makes, agrees on, keeps and destroys the salts that visitors without an id of their
// own are hashed under: a random key for each calendar date, anywhere in the world.
//
// In go a clock, a file, and Kafka if there are several collectors; out come identity.Salts:
//
//	k, err := salt.Open(ctx, salt.Options{Path: "data/salts", Kafka: options, Collector: "c-1"})
//	…
//	id, err := identity.New(secret, k)
//	…
//	err = k.Close()
//
// # The life of a salt
//
// A site hashes under the salt of its own date, so a date is in use from its beginning where the
// day begins first (UTC+14) to an hour behind its end where it ends last (UTC-12, and the hour in
// which the date before is given along), 51 hours. A salt is made about ten hours before the first
// of them, so that no request waits and Kafka may be away for so long, and destroyed an hour
// after the last: see Window. All of it goes by the clock of the collector; a date of which there
// is no salt any more gets none again.
//
// # Agreement
//
// The topic has one partition. A collector that lacks the salt of a date proposes one: a record
// whose key is the date and a name of its own, and whose value is 32 random bytes. Of the
// proposals for a date that have no tombstone the one with the least offset is the salt. A
// collector knows that it has read all there were when it has read a record that it wrote itself,
// so two that propose at once read the same first one. Each proposal has its own key, for
// compaction keeps the last record of a key: under a common one it would keep the loser.
//
// A collector goes through the topic once an hour, from its beginning: it is short. It takes over
// what has been agreed on, proposes what is missing, and writes a tombstone over each proposal of
// an expired date that it still finds. So tombstones are repeated until the broker has really
// deleted the value, and each of them lets the broker begin a new segment, without which it
// compacts nothing (Topic). A collector whose clock is ahead can't destroy the others' salts: the
// broker refuses records that are more than an hour ahead of it, which is the room that Window has.
//
// What has been agreed on is kept in the file, so that a restart needs no Kafka. With the embedded
// broker there is one collector, and the file alone: that broker neither compacts nor begins
// segments by time, so that what was in a topic would stay on the disk.
//
// # Invariants
//
//   - A salt that is handed out is in the file. It is agreed on, unless Kafka was away when it was
//     read from the file.
//   - A date outside of Window has no salt: not in memory, not in the file (whose bytes are
//     overwritten before they are given back to the disk), and in the topic a tombstone.
//   - Salt takes no lock and does not allocate.
//
// # What it does not do
//
// It makes no topic (cmd does). It can't clear what others keep: snapshots of file systems, backups
// of the file or of brokers, the unused blocks of a flash disk, a core dump.
//
// Any goroutine may call Salt, Err and Window; Open and Close are the owner's.
package salt
