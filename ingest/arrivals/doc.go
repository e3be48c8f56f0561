// Package arrivals remembers what has come to a collector last, so that an operator sees whether a
// tracker's events arrive and why others do not.
//
// In goes an Entry for the events of a request that have become the same; out come the last ones, as
// JSON or text:
//
//	log := arrivals.New()
//	log.Add(&arrivals.Entry{At: now, Site: "shop.example.com", Protocol: "ga4", Outcome: arrivals.Stored, Events: 1, Name: "pageview"})
//	mux.Handle("GET /arrivals", log)
//
// Stored events and others are remembered apart, Kept of each, so that traffic does not push the one
// refusal out that is looked for.
//
// Invariants:
//   - An entry has nothing of who sent it: no address, user agent, visitor or place, no property and
//     no revenue; of the page's address host and path, without user, query and fragment; of the text
//     of a refusal nothing that it quotes, unless that is a site. A path and an event's name are as
//     they were sent: a site that writes names of people into them has them here.
//   - Memory is bounded: texts are cut, and copied into memory that is there from the start.
//   - Add allocates nothing. Goroutines that add at once meet in one counter only.
//
// Any goroutine may call Add and ServeHTTP. Package ingest adds; cmd mounts the Log on the port for
// operators. It does not count: that is the collector's metrics.
package arrivals
