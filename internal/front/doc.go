// Package front is what all HTTP ports of Millrace have in common: a listener that outlives errors of accept, limits, and a
// log without personal data.
//
// Listen wraps a net.Listener. Accept returns connections and the error of a closed listener, nothing else: errors that pass
// (no descriptor left, no memory, a connection that ended in the queue) are waited out. Err is why the listener does not take
// connections right now, for readiness. It never holds more than a given number of connections, so that clients leave
// descriptors to the stores; one more is answered with 503.
//
//	ln := front.Listen(tcp, front.ListenerOptions{Name: "public", MaxConns: front.MaxConns(), Log: log, Metrics: m})
//	server := front.NewServer(front.ServerOptions{Handler: handle, Log: log, Metrics: m})
//	go func() { done <- server.Serve(ln) }()
//
// TLS wraps a listener for clients that speak TLS, and answers those that speak plain HTTP with 400.
//
// NewServer returns a fasthttp server with the limits that fasthttp leaves open. Requests that can't be read are answered by it with
// JSON and CORS headers: a page may read why its beacon was refused.
//
// Invariants: what is logged is a fixed text, a kind and a count, at most one line of a kind in a minute. No address, header,
// path or body of a request is in it, but for the id of one that is refused or fails ([RequestID]). All methods are safe for use by several goroutines.
//
// It does not route, authenticate or trust: that is package local and the handlers.
package front
