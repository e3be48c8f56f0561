package clients

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// Fault answers a request in place of the collector, which next is, and returns the status that the
// client gets, 0 for none.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler) (status int)

// Proxy stands between clients and a collector and answers the first requests by a Fault. It adds
// no header, so that to the collector its clients are as local as it is. Preflights always pass.
type Proxy struct {
	URL string // http://127.0.0.1:PORT

	only   func(*http.Request) bool
	server *httptest.Server
	next   http.Handler
	fault  Fault

	mu       sync.Mutex  // guards what follows
	faults   int         // left to do
	requests []time.Time // when each came
	status   int         // of the first answer
}

// StartProxy starts a proxy in front of a URL, which answers so many requests by the fault. Only
// says which requests these may be, and are counted: those with events. Nil: all.
func StartProxy(target string, fault Fault, faults int, only func(*http.Request) bool) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("proxy to %q: %w", target, err)
	}
	p := &Proxy{fault: fault, faults: faults, only: only}
	p.next = forward(u)
	p.server = httptest.NewServer(p)
	p.URL = p.server.URL
	return p, nil
}

// forward returns a handler that sends requests on as they are.
func forward(to *url.URL) http.Handler {
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}}
}

// ServeHTTP answers a request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodOptions || p.only != nil && !p.only(r) {
		// A browser sends a request by itself again, when its connection is reset and had been used.
		w.Header().Set("Connection", "close")
		p.next.ServeHTTP(w, r)
		return
	}
	p.mu.Lock()
	p.requests = append(p.requests, time.Now())
	first, faulty := len(p.requests) == 1, p.faults > 0
	if faulty {
		p.faults--
	}
	p.mu.Unlock()
	// What a client gives up in the meantime reaches the collector all the same.
	r = r.WithContext(context.WithoutCancel(r.Context()))
	status := 0
	if faulty {
		status = p.fault(w, r, p.next)
	} else {
		status = answered(p.next, w, r)
	}
	if first {
		p.mu.Lock()
		p.status = status
		p.mu.Unlock()
	}
}

// answered has a handler answer, and returns the status.
func answered(h http.Handler, w http.ResponseWriter, r *http.Request) int {
	s := &statusWriter{ResponseWriter: w}
	h.ServeHTTP(s, r)
	return s.status
}

// Requests returns how many requests with events have come.
func (p *Proxy) Requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.requests)
}

// Before returns how many of them had come by a time; a zero time is the end.
func (p *Proxy) Before(end time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, came := range p.requests {
		if end.IsZero() || came.Before(end) {
			n++
		}
	}
	return n
}

// Status returns that of the first answer, 0 for none.
func (p *Proxy) Status() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Close ends the proxy.
func (p *Proxy) Close() {
	p.server.CloseClientConnections()
	p.server.Close()
}

// statusWriter keeps the status that is written.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader writes the status.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write writes a part of the body.
func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap returns the writer itself, for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// noCollector answers as nginx does when nothing listens behind it.
func noCollector(w http.ResponseWriter, r *http.Request, _ http.Handler) int {
	drain(r)
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusBadGateway)
	io.WriteString(w, "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n")
	return http.StatusBadGateway
}

// closed resets the connection.
func closed(w http.ResponseWriter, r *http.Request, _ http.Handler) int {
	drain(r)
	reset(w)
	return 0
}

// lost has the request taken and resets the connection.
func lost(w http.ResponseWriter, r *http.Request, next http.Handler) int {
	answer := httptest.NewRecorder()
	next.ServeHTTP(answer, r)
	if answer.Code >= http.StatusMultipleChoices {
		return answer.Code // which is no status that the test wants
	}
	reset(w)
	return 0
}

// drain reads the body, so that no client is interrupted while it sends.
func drain(r *http.Request) { io.Copy(io.Discard, r.Body) }

// reset ends the connection of a request with a packet RST.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // which closes it, too
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}
