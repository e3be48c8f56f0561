package storesocket

import (
	"context"
	"crypto/rand"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
)

// Store is what a client may do with the store.
type Store interface {
	Scan(ctx context.Context, sel window.Selection, fn func(start event.Time, final bool, p *window.Point) error) error
	Sites(ctx context.Context) ([]string, error)
	Progress(ctx context.Context) ([]window.Progress, error)
	// Fired returns the windows of a kind, site and start, one a shard, without points and with the version of the last
	// firing.
	Fired(ctx context.Context, k window.Kind, site string, start event.Time) ([]window.Window, error)
	// ReplaceSettled stores windows but for those of which the store has a later version, and returns how many these are.
	ReplaceSettled(ctx context.Context, ws []*window.Window) (left int, err error)
}

// maxPath is the longest path that every system takes for a socket.
const maxPath = 100

// Server answers one client at a time.
type Server struct {
	store Store
	build string
	http  *http.Server
	ended chan struct{} // closed when the listener has ended
	stop  context.CancelFunc

	mu      sync.Mutex // guards session
	session *session   // nil: nobody is there
}

// session is a client: its token, and its calls under way.
type session struct {
	token string
	calls sync.WaitGroup
}

// hello is what a client learns first.
type hello struct {
	Build string // who speaks the same protocol
	Token string
	Store bool // whether serve has a store of its own
}

// Listen serves a store, which may be nil, on a socket. Build names the program; clients of another one are refused. REQUIRES:
// the data folder's lock. Where the path is too long for a socket there is no Server, and no error.
func Listen(path, build string, store Store) (*Server, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by a serve that was killed
		return nil, fmt.Errorf("make way for the rollup store's socket: %w", err)
	}
	if len(path) > maxPath {
		return nil, nil
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the rollup store's socket: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{store: store, build: build, ended: make(chan struct{}), stop: stop}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /session", s.open)
	mux.HandleFunc("POST /scan", s.call(s.scan))
	mux.HandleFunc("POST /families", s.call(s.families))
	mux.HandleFunc("POST /sites", s.call(s.sites))
	mux.HandleFunc("POST /progress", s.call(s.progress))
	mux.HandleFunc("POST /fired", s.call(s.fired))
	mux.HandleFunc("POST /replace", s.call(s.replace))
	s.http = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	go func() {
		defer close(s.ended)
		_ = s.http.Serve(ln) // it ends with Close; without it commands find nobody, as without a socket
	}()
	return s, nil
}

// Close ends the session and waits for its calls.
func (s *Server) Close() error {
	s.stop()
	err := s.http.Close()
	<-s.ended
	s.mu.Lock()
	current := s.session
	if current != nil {
		current.token = "" // no more calls: the store is about to be closed
	}
	s.mu.Unlock()
	if current != nil {
		current.calls.Wait()
	}
	return err
}

// open begins a session, which lasts as long as the request.
func (s *Server) open(w http.ResponseWriter, r *http.Request) {
	current := &session{token: rand.Text()}
	s.mu.Lock()
	busy := s.session != nil
	if !busy {
		s.session = current
	}
	s.mu.Unlock()
	if busy {
		http.Error(w, "busy", http.StatusConflict)
		return
	}
	err := gob.NewEncoder(w).Encode(hello{s.build, current.token, s.store != nil})
	if err == nil {
		err = http.NewResponseController(w).Flush()
	}
	if err == nil {
		<-r.Context().Done()
	}
	s.mu.Lock()
	current.token = "" // no more calls
	s.mu.Unlock()
	current.calls.Wait()
	s.mu.Lock()
	s.session = nil
	s.mu.Unlock()
}

// tokenHeader names the session of a call.
const tokenHeader = "Millrace-Session"

// answer is a part of an answer; the last one has End set. An error is a text: the client has no other use for it.
type answer struct {
	End, Failed bool
	Err         string

	Start    event.Time
	Final    bool
	Point    window.Point
	Sites    []string
	Progress []window.Progress
	Fired    []window.Window
	Left     int
}

// call wraps a call of the store. Its error comes behind the answer.
func (s *Server) call(f func(ctx context.Context, in *gob.Decoder, out *gob.Encoder) (answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		current := s.session
		known := current != nil && current.token != "" && current.token == r.Header.Get(tokenHeader) && s.store != nil
		if known {
			current.calls.Add(1)
		}
		s.mu.Unlock()
		if !known {
			http.Error(w, "no such session", http.StatusForbidden)
			return
		}
		defer current.calls.Done()
		out := gob.NewEncoder(w)
		last, err := f(r.Context(), gob.NewDecoder(r.Body), out)
		last.End = true
		if err != nil {
			last.Failed, last.Err = true, err.Error()
		}
		_ = out.Encode(last) // the client sees that the end is missing
	}
}

func (s *Server) scan(ctx context.Context, in *gob.Decoder, out *gob.Encoder) (answer, error) {
	var sel window.Selection
	if err := in.Decode(&sel); err != nil {
		return answer{}, err
	}
	return answer{}, s.each(ctx, sel, out)
}

// families scans all families of the selection's kind.
func (s *Server) families(ctx context.Context, in *gob.Decoder, out *gob.Encoder) (answer, error) {
	var sel window.Selection
	if err := in.Decode(&sel); err != nil {
		return answer{}, err
	}
	for f := range window.NumFamilies {
		if !f.In(sel.Kind) {
			continue
		}
		sel.Family = f
		if err := s.each(ctx, sel, out); err != nil {
			return answer{}, err
		}
	}
	return answer{}, nil
}

func (s *Server) each(ctx context.Context, sel window.Selection, out *gob.Encoder) error {
	return s.store.Scan(ctx, sel, func(start event.Time, final bool, p *window.Point) error {
		return out.Encode(answer{Start: start, Final: final, Point: *p})
	})
}

func (s *Server) sites(ctx context.Context, _ *gob.Decoder, _ *gob.Encoder) (a answer, err error) {
	a.Sites, err = s.store.Sites(ctx)
	return a, err
}

func (s *Server) progress(ctx context.Context, _ *gob.Decoder, _ *gob.Encoder) (a answer, err error) {
	a.Progress, err = s.store.Progress(ctx)
	return a, err
}

func (s *Server) fired(ctx context.Context, in *gob.Decoder, _ *gob.Encoder) (a answer, err error) {
	var w window.Window
	if err := in.Decode(&w); err != nil {
		return a, err
	}
	a.Fired, err = s.store.Fired(ctx, w.Kind, w.Site, w.Start)
	return a, err
}

func (s *Server) replace(ctx context.Context, in *gob.Decoder, _ *gob.Encoder) (a answer, err error) {
	var ws []*window.Window
	for {
		w := new(window.Window)
		if err := in.Decode(w); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return a, err // the client is gone: nothing is written
		}
		ws = append(ws, w)
	}
	a.Left, err = s.store.ReplaceSettled(ctx, ws)
	return a, err
}
