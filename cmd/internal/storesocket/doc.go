// Package storesocket lets a command use the rollup store that a running serve holds open: a Pebble store has one process.
//
// In go the calls that import and replay make of a store, on a Unix socket in the data folder, which only its owner can
// enter; out come the store's answers:
//
//	server, err := storesocket.Listen(path, store)      // serve
//	client, err := storesocket.Dial(ctx, path)          // import, replay
//	report, err := replay.Run(ctx, replay.Options{Reader: client, Sink: client, …})
//
// Invariants:
//   - One client at a time: two that compute windows of one archive could each write over the other's. A client that ends,
//     however it ends, makes room for the next once its last call is over.
//   - A call that writes is one batch of the store, whole or not at all, whichever side dies.
//   - The client writes no window that the stream has fired behind what the client knows (Store.ReplaceSettled).
//
// The protocol is HTTP with gob, of one build: another build's client is refused (ErrOther), because the numbers of
// families and kinds are not the same for ever.
//
// A Server and a Client may be used by any number of goroutines. Close waits for the calls under way.
//
// It does not look at windows, and knows nothing of the archive: commands reach that by themselves.
package storesocket
