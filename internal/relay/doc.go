// Package relay passes the connections of a listener on to somewhere else, byte for byte.
//
// In go a listener and a function that connects; out go the bytes of both directions until either side
// ends, and then both do.
//
//	r := relay.Serve(ln, func(ctx context.Context) (net.Conn, error) {
//		return new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:9092")
//	})
//	defer r.Close()
//
// Invariants:
//   - A connection for which there is nothing to connect to is closed: to its client the other side hangs
//     up.
//   - After Close has returned there is no goroutine and no connection of the relay's.
//
// The socket of a data folder (cmd/internal/brokersocket) is one, and so is what stands between the workers
// of bench/verify/chaos and real brokers. It looks at no byte: whoever wants to do harm wraps the listener.
package relay
