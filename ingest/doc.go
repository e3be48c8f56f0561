// Package ingest is the collector: it takes beacons in over HTTP and answers 2xx only when every
// in-sync replica of Kafka has them, or, where their senders never send again, its spool.
//
// In go requests in the protocols that Options.Protocols lists; package protocol
// defines what one is, and each folder below it has one. Out go records of the topic
// millrace.events, each an envelope of package event with a batch of events for one partition, and
// once a second an empty one, a tick, to every partition.
//
// A request passes Handler (endpoints.go: which protocol), caller (caller.go: who calls), the
// protocol's Read, admit (handler.go: sites and rates), filter (filter.go: what sites leave out),
// admitNew (newsites.go), takeQuota (quota.go), store (handler.go:
// who sent it, repeat.go: its fingerprint), add (partition.go: into a record), and the protocol's
// Accept or Refuse.
//
// Invariants:
//   - A request answered with 2xx is in Kafka, each of its events once, or in the spool and then in
//     Kafka once (spooler.go: which, when, and how). One answered with 4xx is not, not even in part. One answered with 503 may be: no one can know whether a broker that
//     did not answer has written. Clients that retry send ids, and the engine counts an id once.
//   - The low watermark of a record holds for all records behind it in the partition: none has an
//     event that was received before it (see partition), unless the clock was set back in between.
//   - Events have the time that the clock shows when they come, whatever it showed before. A clock
//     that is wrong is logged and a reason of Collector.Health (see wallClock and logClock); events
//     are taken all the same.
//   - Memory is bounded by Options.MaxPendingBytes, whatever clients send and however long Kafka is
//     away. It is reserved before it is used; what is over it is refused with 503 and Retry-After.
//   - No address leaves the package. What is derived from it is country, region, city and a
//     keyed hash (package ingest/identity).
//   - What a protocol refuses is refused whole, with 4xx. What it cuts or leaves out is named in
//     the answer.
//   - An event of a page in a browser that has no id is given one by which it is known if the
//     browser sends it again (repeatOf).
//
// Trusted callers may say more: ts, ip, ua and visitor. A caller is trusted that shows a write key,
// or that connects from the loopback interface, is no browser and did not come through a proxy.
// Where a local reverse proxy adds no X-Forwarded-For, every client comes from the loopback
// interface: set Options.NoLoopbackTrust.
//
// Sites and write keys may change while requests are served (Collector.SetSites): a request keeps
// those that it began with, and takes no lock for them.
//
// Units: times are event.Time, sizes bytes, rates events a second.
//
// Collector.Handler may be called from any number of goroutines; cmd mounts it on the server that
// Collector.Server makes.
//
// It does not: know a protocol by its name, parse user agents, tell bots, count or deduplicate
// anything (package engine does), or create topics (cmd does).
package ingest
