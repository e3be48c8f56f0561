package ingest

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"millrace/ingest/protocol"
)

// sumOf returns a hash of what was sent in a request.
func sumOf(r *protocol.Request) uint64 {
	body, query := r.Sent()
	switch {
	case len(query) == 0:
		return xxhash.Sum64(body)
	case len(body) == 0:
		return xxhash.Sum64(query)
	}
	var d xxhash.Digest
	d.Reset()
	_, _ = d.Write(query)
	_, _ = d.WriteString("\n")
	_, _ = d.Write(body)
	return d.Sum64()
}

// repeatOf returns the fingerprint of an event by which it is known if it is sent again, never 0.
//
// A browser sends a POST again by itself when a connection that it has used before closes without
// an answer (Chromium 156, also with keepalive): the collector has taken it and was killed, or its
// load balancer let go of the connection. The page hears nothing of it, and most trackers send no
// ids. So an event of a page that has no id gets one by what it is: the visitor, the site, the
// name, the page, all that was sent (sumOf), and which of the events of the request it is. All of
// that is the same at any collector.
//
// What it costs: a visitor who does exactly the same again within 4 to 8 seconds (package dedup)
// has done it once. In a site of a single page the view of a page that is gone back to is lost;
// people behind one address with one user agent who view a page at a time are one view; a click
// that is repeated counts once, with its revenue. A site that has to have each sends ids, or
// anything in the body that differs. Programs are never taken so: of what a server sends for its
// visitors two equal events are two.
//
// The hash has no key: the visitor in it is a keyed one, and stands beside it in the log.
//
// Room is memory that is used, and returned.
func repeatOf(in *protocol.Input, index int, sent uint64, room []byte) (uint64, []byte) {
	b := binary.LittleEndian.AppendUint64(room, uint64(in.Visitor))
	b = binary.LittleEndian.AppendUint64(b, uint64(index))
	b = binary.LittleEndian.AppendUint64(b, sent)
	for _, s := range [...]string{in.Site, in.Name, in.URL} {
		b = append(b, s...)
		b = append(b, '\n') // which none of them has
	}
	return max(xxhash.Sum64(b), 1), b
}
