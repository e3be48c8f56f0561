// Package broker is the embedded Kafka-protocol broker of one machine: franz-go's kfake with a data
// folder, a lock, a check of the folder before it is opened, retention that works, and no network.
//
// In go requests of Kafka clients in the same process, through [Broker.DialContext] (franz-go) or
// [Broker.Dialer] (Sarama, goka). Out come their answers. On disk, below Options.Dir, are the log
// (partitions/<topic>-<n>/<base offset>.dat, raw record batches), the committed offsets
// (groups.log), the topics (topics.json) and a LOCK file.
//
//	b, err := broker.Open(broker.Options{Dir: "data/broker"})
//	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.Dialer(b.DialContext))
//	…
//	client.Close()
//	err = b.Close()
//
// It is for ONE machine: one broker, no replication, no users or passwords, everything on one
// goroutine. A lost disk is a lost log. An operator who needs more points Millrace at a real Kafka;
// no other code changes.
//
// # Invariants
//
//   - A produce request answered with success is in the page cache: it survives a crash or kill -9
//     of the process. It survives a power loss if Options.SyncWrites is set, and else if the kernel
//     had written it back (on Linux after about 30 s) or the broker was closed: Close syncs
//     everything that was written since Open.
//   - Offsets never go back, except for what a power loss took. (kfake alone restarts an emptied
//     partition at 0; retention here never removes a partition's last segment.)
//   - Open cuts off only what a crash can leave: one incomplete batch at the very end of a
//     partition. Files that hold nothing which is not elsewhere are mended: meta.json and
//     topics.json from a copy, producer ids and settings by beginning anew. Anything else is
//     damage, a [DamageError], and nothing in the folder has been changed then. (kfake alone
//     silently drops the rest of the segment, or every topic if topics.json is missing.)
//   - A folder is open in one process at a time: [ErrLocked].
//   - Without Options.TCP there is no port: nothing outside the process can connect. The advertised
//     address ends in .invalid, which no resolver answers. A dialer of this package never opens a
//     connection to anything else.
//   - A request with an unknown API key, or longer than 64 MiB, closes its connection. (kfake alone
//     panics, or allocates as much as the length field has.) This is no protection against a
//     hostile client: with TCP, every local user can read and write the log.
//
// # Retention
//
// Topics get retention.ms and retention.bytes (per partition) when they are created; without
// retention.ms it is 7 days, -1 is for ever. Every Options.RetentionEvery (30 s) whole segments are
// deleted: those last written longer ago than retention.ms, and the oldest while the partition
// without them still holds retention.bytes. The segment being written stays, whatever its age, so a
// partition keeps up to one segment (16 MiB) more than configured. A topic with
// cleanup.policy=compact is neither compacted nor trimmed: kfake's compaction deletes the old
// segments before it writes the new ones, which a crash turns into loss. A broker in memory keeps
// to kfake's own rules (per batch, checked at the same interval).
//
// # Costs
//
// 72 B of memory per batch in the log, 130 B as measured: kfake's lists of batches grow ahead of what is
// in them, and those of deleted segments are let go when as many segments as were left have come again. And
// one open file per segment that was read. Open
// reads the whole log once or twice, segment by segment.
//
// # Units
//
// Offsets are Kafka's; sizes are bytes; a position in a file is pos.
//
// # Who may call it
//
// All methods are safe for any goroutine, Close included. The owner closes its clients first, then
// the broker.
//
// # What it does not do
//
// It creates no topics, has no metrics, does not replicate, authenticate, encrypt or limit clients.
package broker
