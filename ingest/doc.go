// Package ingest is the collector: it takes beacons in over HTTP and answers 2xx only when every in-sync replica of
// Kafka has them.
//
// In go requests in three protocols: our own JSON (POST /v1/events: an event, an array or NDJSON), Plausible's (POST
// /api/event) and a pixel (GET /v1/pixel.gif). Out go records of the topic millrace.events, each an envelope of
// package event with a batch of events for one partition, and once a second an empty one, a tick, to every
// partition.
//
// Invariants:
//   - A request answered with 2xx is in Kafka, each of its events once. One answered with 4xx is not, not even in part.
//     One answered with 503 may be: nobody can know whether a broker that did not answer has written. Clients
//     that retry send ids, and the engine counts an id once.
//   - The low watermark of a record holds for all records behind it in the partition: none has an event that was
//     received before it (see partition).
//   - Memory is bounded by Options.MaxPendingBytes, whatever clients send and however long Kafka is away. It is reserved
//     before it is used; what is over it is refused with 503 and Retry-After.
//   - No address leaves the package. What is derived from it is the country and a keyed hash (package ingest/enrich).
//   - Bad input is refused whole, with 400 and a text that names the field: an event with a misspelled field
//     must not be stored without it.
//
// Limits of an event, in bytes: id 64, name 120, url and referrer 4096, ua 1024, language 35, screen 16, visitor 256; 30 props
// with keys of 300 and values of 2000; 1000 events a request. Strings are valid UTF-8 without control
// characters.
//
// Trusted callers may say more: ts, ip, ua and visitor. Trusted is who shows a write key, or who connects from the
// loopback interface, is no browser and did not come through a proxy. Where a local reverse proxy adds no
// X-Forwarded-For, everybody comes from the loopback interface: set Options.NoLoopbackTrust.
//
// Units: times are event.Time, sizes bytes, rates events a second.
//
// Collector.Handler may be called from any number of goroutines; cmd mounts it on the server that Collector.Server makes.
// A Parser, by which importers read the same events from files, belongs to one goroutine at a time; Input.Complete then
// does for an importer what the collector does for a request.
//
// It does not: parse user agents, tell bots, count or deduplicate anything (package engine does), create topics
// (cmd does), or keep events on disk while Kafka is away.
package ingest
