package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"millrace/internal/front"
	"millrace/internal/local"
)

// Port is the server for operators: /livez, /readyz, /metrics, /debug/pprof and what Handle adds.
type Port struct {
	Registry *prometheus.Registry // what /metrics shows
	Front    *front.Metrics       // of this port and the public one
	Ready    *Readiness           // what /readyz shows

	mux      *http.ServeMux
	server   *http.Server
	listener *front.Listener
	closing  atomic.Bool
	done     chan error
}

// cmdline answers like pprof.Cmdline, with the program alone: among the arguments are keys and
// passwords.
func cmdline(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprint(w, os.Args[0])
}

// maxConns is the most connections that the port holds: scrapers and probes need a handful.
const maxConns = 64

// Options configure a Port. All fields but TLS are required.
type Options struct {
	Addr  string      // address to listen on, HOST:PORT (--admin)
	TLS   *tls.Config // to speak TLS alone; nil: plain HTTP
	Roles []string    // names of conditions that ?role= of /readyz may select
	Fail  func(error) // is called if the server ends before Close
	Log   *slog.Logger
}

// Open listens and serves, until Close.
func Open(o Options) (*Port, error) {
	ln, err := front.Bind("--admin", o.Addr)
	if err != nil {
		return nil, err
	}
	p := &Port{Registry: prometheus.NewRegistry(), Ready: NewReadiness(o.Roles), done: make(chan error, 1)}
	p.Front = front.NewMetrics(p.Registry)
	p.listener = front.Listen(ln, front.ListenerOptions{Name: "admin", MaxConns: maxConns, Log: o.Log, Metrics: p.Front})
	p.Registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	mux := http.NewServeMux()
	p.mux = mux
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("GET /readyz", p.Ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.Registry, promhttp.HandlerOpts{Registry: p.Registry}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	p.server = &http.Server{
		Handler:           bounded(guard(ln.Addr().String(), mux), bodyTime, answerTime),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          front.ErrorLog("admin", o.Log, p.Front),
	}
	var listener net.Listener = p.listener
	if o.TLS != nil {
		listener = front.TLS(listener, o.TLS)
	}
	go func() {
		err := p.server.Serve(listener)
		if !p.closing.Load() {
			o.Fail(fmt.Errorf("serve admin port: %w", err))
		}
		p.done <- err
	}()
	return p, nil
}

const (
	// bodyTime is how long a client may take to send a body. Few paths read one; the server reads
	// what is left of it before it answers.
	bodyTime = 5 * time.Second
	// answerTime is how long writing an answer may take, beside what a profile waits for.
	answerTime = 30 * time.Second
)

// bounded ends requests of clients that neither send nor read: else maxConns of them would keep
// the probes out for good.
func bounded(next http.Handler, body, answer time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The connection is one of TCP, which takes deadlines.
		control, now := http.NewResponseController(w), time.Now()
		if r.ContentLength != 0 { // without a body the deadline would end the request's context
			_ = control.SetReadDeadline(now.Add(body))
		}
		wait := answer
		if seconds, err := strconv.ParseFloat(r.URL.Query().Get("seconds"), 64); err == nil && seconds > 0 {
			wait += time.Duration(min(seconds, mostProfile.Seconds()) * float64(time.Second))
		}
		_ = control.SetWriteDeadline(now.Add(wait))
		next.ServeHTTP(w, r)
	})
}

// mostProfile is how long a profile or a trace may take.
const mostProfile = 10 * time.Minute

// guard lets only this machine in where only this machine can connect: it refuses a proxy that
// passes requests on by mistake, and a page that rebinds its name to 127.0.0.1. Addr is the one
// that was bound, since a name may stand for 127.0.0.1. An address that other machines can reach
// was chosen by the operator, for scrapers and probes that use any name for it; the operator's
// network then decides who may connect.
func guard(addr string, next http.Handler) http.Handler {
	if !local.LoopbackAddress(addr) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found := local.HTTP(r)
		// Balancers on this machine probe by HTTP/1.0, HAProxy without a Host. No browser does.
		probe := found == local.OldProtocol && (r.URL.Path == "/livez" || r.URL.Path == "/readyz")
		if found != local.Yes && !probe {
			http.Error(w, fmt.Sprintf("Only this machine may look here, and %s. To open this port to others, bind --admin to another address.", found), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Handle serves a pattern of package http from now on, which nothing serves yet.
func (p *Port) Handle(pattern string, h http.Handler) { p.mux.Handle(pattern, h) }

// Addr returns the address that the port listens on.
func (p *Port) Addr() string { return p.listener.Addr().String() }

// Close ends the server; requests in flight get half a second.
func (p *Port) Close() error {
	p.closing.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
	defer cancel()
	if p.server.Shutdown(ctx) != nil {
		p.server.Close()
	}
	if err := <-p.done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve admin port: %w", err)
	}
	return nil
}
