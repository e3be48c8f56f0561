package front

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// kind is what went wrong with a request or a connection: all that is logged of it.
type kind string

const (
	kindHeaderTooLarge kind = "header_too_large" // 431
	kindMalformed      kind = "malformed"        // 400
	kindBody           kind = "body_too_large"   // 413
	kindTimeout        kind = "timeout"          // 408
	kindCut            kind = "cut_off"          // the connection ended within a request
	kindConnection     kind = "connection"       // reading or writing failed otherwise
	kindHandshake      kind = "tls_handshake"    // a client and TLS do not agree, or it speaks plain HTTP
	kindServer         kind = "server"           // what the server itself complains of
	kindPanic          kind = "panic"
)

// texts has the kinds that are logged. The others are part of the Internet's weather: connections that a browser opens
// ahead of time and never uses end by a time-out.
var texts = map[kind]string{
	kindHeaderTooLarge: "requests are refused with 431: line and headers are larger than 16 KiB",
	kindMalformed:      "requests are refused with 400: they can't be read",
	kindConnection:     "connections failed",
	kindServer:         "the HTTP server reports a problem",
	kindPanic:          "BUG: a handler of the admin port panicked",
}

// kindOf classifies an error of fasthttp or net/http by its type: its text has what the client sent.
func kindOf(err error) kind {
	var small *fasthttp.ErrSmallBuffer
	var timeout net.Error
	var op *net.OpError
	var handshake *handshakeError
	switch {
	case errors.As(err, &small):
		return kindHeaderTooLarge
	case errors.As(err, &timeout) && timeout.Timeout():
		return kindTimeout
	case errors.As(err, &handshake):
		return kindHandshake
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return kindBody
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return kindCut
	case errors.As(err, &op):
		return kindConnection
	}
	return kindMalformed
}

// logEvery is the least time between two lines of a kind.
const logEvery = time.Minute

// reporter counts errors by kind and logs them in few lines.
type reporter struct {
	listener string
	log      *slog.Logger
	metrics  *Metrics

	mu       sync.Mutex // guards what follows
	kinds    map[kind]*tally
	statuses map[int]*tally // of requests that failed
}

// tally is of one kind.
type tally struct {
	since int // errors that are in no line yet
	next  time.Time
}

func newReporter(listener string, log *slog.Logger, m *Metrics) *reporter {
	return &reporter{listener: listener, log: log, metrics: m, kinds: map[kind]*tally{}, statuses: map[int]*tally{}}
}

// report counts an error. The first one of a kind is logged at once, those that follow with the first one after a minute.
func (r *reporter) report(k kind) {
	r.metrics.errors.WithLabelValues(r.listener, string(k)).Inc()
	text := texts[k]
	if text == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.kinds[k]
	if t == nil {
		t = &tally{}
		r.kinds[k] = t
	}
	t.since++
	if now := time.Now(); !now.Before(t.next) {
		r.log.Warn(text, "listener", r.listener, "kind", string(k), "count", t.since)
		t.since, t.next = 0, now.Add(logEvery)
	}
}

// failed logs a request that failed, like report.
func (r *reporter) failed(status int, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.statuses[status]
	if t == nil {
		t = &tally{}
		r.statuses[status] = t
	}
	t.since++
	if now := time.Now(); !now.Before(t.next) {
		r.log.Warn("requests fail", "listener", r.listener, "status", status, "count", t.since, "request_id", id)
		t.since, t.next = 0, now.Add(logEvery)
	}
}

// Printf implements fasthttp.Logger. Fasthttp 1.77.0 has six calls that a server without files can reach: two about accept,
// which the Listener never lets happen; one about its limit of connections; one about limits by address, which are off; a warning
// of a handler that reads a stream as a whole; and "error when serving connection", whose arguments are both addresses and an error
// with headers in it. Requests that can't be read come here too, after they were counted by the error handler.
func (r *reporter) Printf(format string, args ...any) {
	if !strings.HasPrefix(format, "error when serving connection") {
		r.report(kindServer)
		return
	}
	for _, arg := range args {
		if err, ok := arg.(error); ok && kindOf(err) == kindConnection {
			r.report(kindConnection)
		}
	}
}

// Write implements io.Writer for the ErrorLog of net/http, which writes one line a call, with addresses in most.
func (r *reporter) Write(line []byte) (int, error) {
	k := kindServer
	switch text := string(line); {
	case strings.Contains(text, "panic serving"):
		k = kindPanic
	case strings.Contains(text, "TLS handshake"), strings.Contains(text, "Unsolicited response"):
		k = kindConnection
	}
	r.report(k)
	return len(line), nil
}
