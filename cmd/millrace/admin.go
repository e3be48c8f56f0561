package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// admin is the server for operators: /livez, /readyz, /metrics and /debug/pprof.
type admin struct {
	registry *prometheus.Registry
	ready    *readiness
	server   *http.Server
	listener net.Listener
	done     chan error
}

// startAdmin listens and serves. It is the first thing of serve to be up and the last to go, so that an operator can
// watch both ends.
func startAdmin(addr string, log *slog.Logger) (*admin, error) {
	ln, err := listen("--admin", addr)
	if err != nil {
		return nil, err
	}
	a := &admin{registry: prometheus.NewRegistry(), ready: &readiness{}, listener: ln, done: make(chan error, 1)}
	a.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("GET /readyz", a.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{Registry: a.registry}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	a.server = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	go func() { a.done <- a.server.Serve(ln) }()
	return a, nil
}

func (a *admin) addr() string { return a.listener.Addr().String() }

// close ends the server; requests in flight get half a second.
func (a *admin) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
	defer cancel()
	if a.server.Shutdown(ctx) != nil {
		a.server.Close()
	}
	if err := <-a.done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve admin port: %w", err)
	}
	return nil
}

// listen is net.Listen with errors that name the flag and say what to do.
func listen(flag, addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err == nil {
		return ln, nil
	}
	var op *net.OpError
	if errors.As(err, &op) && errors.Is(op.Err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s %s: the port is in use by another program; end that program or choose another port", flag, addr)
	}
	return nil, fmt.Errorf("%s: %w", flag, err)
}

// readiness answers /readyz: 200 once every condition holds, else 503; the body has a line for each condition.
type readiness struct {
	mu         sync.Mutex // guards what follows
	conditions []condition
	draining   bool
	started    bool
}

type condition struct {
	name string
	ok   func() bool
}

// add puts another condition on the list; ok is called at each request and must not block.
func (r *readiness) add(name string, ok func() bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conditions = append(r.conditions, condition{name, ok})
}

// start says that the list is whole; before that the answer is no.
func (r *readiness) start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = true
}

// drain makes the answer no for good.
func (r *readiness) drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.draining = true
}

func (r *readiness) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	r.mu.Lock()
	started, draining := r.started, r.draining
	conditions := append(slices.Clone(r.conditions),
		condition{"started", func() bool { return started }},
		condition{"serving", func() bool { return !draining }})
	r.mu.Unlock()
	code, body := http.StatusOK, ""
	for _, c := range conditions {
		word := "yes"
		if !c.ok() {
			word, code = "no ", http.StatusServiceUnavailable
		}
		body += word + " " + c.name + "\n"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprint(w, body)
}
