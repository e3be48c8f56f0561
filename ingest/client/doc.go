// Package client sends events of Go servers to a Millrace collector: it queues them, posts them in
// batches to /v1/events, and sends again until the collector has them.
//
// In go Events, by Track, Pages or both; out go requests, and, for events that are given up, calls of
// Options.OnError.
//
//	c, err := client.New(client.Options{
//		URL:  "https://stats.example.com",
//		Site: "shop.example.com",
//		Key:  os.Getenv("MILLRACE_WRITE_KEY"),
//		Log:  slog.Default(),
//	})
//	...
//	http.ListenAndServe(addr, c.Pages(mux, nil)) // views of pages
//	...
//	e := c.FromRequest(r, "Order") // in a handler: who, and on which page
//	e.Revenue = &client.Revenue{Amount: 12.5, Currency: "EUR"}
//	err = c.Track(e)
//	...
//	c.Close(ctx) // at the end of the program: what is queued still goes out
//
// What becomes of an event:
//
//   - Track gives it an id and a time, where it has none, encodes it, and returns. It never waits. An
//     event over MaxPendingBytes is not taken: ErrFull, and Stats.Full counts it.
//   - 202: the collector has it, and counts it once.
//   - 429, 503, another 5xx, a connection that breaks, no answer within 30 s: it is sent again, with the
//     same id, for as long as that takes. The pause is what Retry-After says, or else grows from half a
//     second to half a minute. Later events wait behind it.
//   - 4xx: it is given up, and OnError has the collector's reason. A collector refuses a request whole,
//     so that the events which the reason is not about are sent once more without it. Of a request
//     that is too large the halves are sent, and later requests are smaller.
//   - 500 by the collector, which is a mistake in it: after three times the halves are sent, so that
//     the event at which it fails is found and given up, and no other.
//
// An id is remembered for ten minutes: if an answer is lost, and the collector then is away for longer,
// the events of that one request may count twice. An event that comes later than the collector's
// --lateness (an hour) is archived, and counted by the next millrace replay.
//
// Who the visitor is, is what the event says: Visitor, ClientID, or else IP and UserAgent, which
// FromRequest takes from the visitor's request. A collector believes that of who has a write key, or
// runs on its machine.
//
// Invariants:
//   - Events of one client are delivered in the order in which they were tracked, but for those that
//     a refusal has separated. One request is under way at a time.
//   - Each event that Track took is delivered, or given to OnError, once. Only what is still queued
//     when the program ends without Close is neither.
//   - Memory is bounded by MaxPendingBytes and one request.
//   - No event is sent to another address than Options.URL: redirects are not followed.
//
// The package is for other programs: it imports the standard library alone, and nothing of Millrace
// imports it. It stands beside the parts of the server because it is none of them.
//
// It does not: keep events on a disk, compress requests, read cookies, or tell bots.
package client
