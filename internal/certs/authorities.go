package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// lookEvery is how often a file of authorities is looked at, at most, when it is needed.
const lookEvery = 5 * time.Second

// Authorities are those of a PEM file, which is read again when it changes. One that becomes useless
// leaves those that were read last. Methods may be called by several goroutines.
type Authorities struct {
	path  string
	every time.Duration

	mu           sync.Mutex // guards what follows
	pool         *x509.CertPool
	looked       time.Time
	loaded, seen mark  // of the file: as it was read, and at the last look
	broken       error // why what the file has now is not in use
}

// mark changes when a file does.
type mark struct {
	at   time.Time
	size int64
}

func markOf(path string) (m mark) {
	if info, err := os.Stat(path); err == nil {
		m.at, m.size = info.ModTime(), info.Size()
	}
	return m
}

// OpenAuthorities reads a file.
func OpenAuthorities(path string) (*Authorities, error) {
	m := markOf(path)
	pool, err := Pool(path)
	if err != nil {
		return nil, err
	}
	return &Authorities{path: path, every: lookEvery, pool: pool, looked: time.Now(), loaded: m, seen: m}, nil
}

// Pool returns the authorities, and why it is not those that the file has now, or nil. A file is read once it
// is the same at two looks, since half of one may look like a whole one.
func (a *Authorities) Pool() (*x509.CertPool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.looked) < a.every {
		return a.pool, a.broken
	}
	a.looked = time.Now()
	now := markOf(a.path)
	rests := now == a.seen
	a.seen = now
	if now == a.loaded || !rests {
		return a.pool, a.broken
	}
	pool, err := Pool(a.path)
	if a.loaded, a.broken = now, err; err == nil {
		a.pool = pool
	}
	return a.pool, a.broken
}

// Transport returns what makes requests as base does, to servers that the authorities vouch for. Base must
// not be used otherwise.
func (a *Authorities) Transport(base *http.Transport) http.RoundTripper {
	if base.TLSClientConfig == nil {
		base.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	t := &trusting{authorities: a, current: base}
	t.pool, _ = a.Pool()
	base.TLSClientConfig.RootCAs = t.pool
	return t
}

// trusting makes requests with the authorities of the moment.
type trusting struct {
	authorities *Authorities

	mu      sync.Mutex      // guards what follows
	current *http.Transport // which trusts pool
	pool    *x509.CertPool
}

// RoundTrip implements http.RoundTripper.
func (t *trusting) RoundTrip(req *http.Request) (*http.Response, error) {
	transport, broken := t.transport()
	resp, err := transport.RoundTrip(req)
	if broken != nil && errors.As(err, new(*tls.CertificateVerificationError)) {
		err = fmt.Errorf("%w; the file of authorities has changed, and those of before are in use: %w", err, broken)
	}
	return resp, err
}

// transport returns the transport of the authorities of the moment. Requests under way end on the one that
// they began with.
func (t *trusting) transport() (*http.Transport, error) {
	pool, broken := t.authorities.Pool()
	t.mu.Lock()
	defer t.mu.Unlock()
	if pool != t.pool {
		before := t.current
		t.current, t.pool = before.Clone(), pool
		t.current.TLSClientConfig.RootCAs = pool
		before.CloseIdleConnections()
	}
	return t.current, broken
}

// CloseIdleConnections is called by http.Client's.
func (t *trusting) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current.CloseIdleConnections()
}
