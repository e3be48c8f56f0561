package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// What Track and Close return, to be told by errors.Is.
var (
	// ErrFull says that an event was not taken because MaxPendingBytes are waiting to be sent.
	ErrFull = errors.New("millrace client: too many events wait to be sent")
	// ErrClosed says that an event came after Close, or was given up by it.
	ErrClosed = errors.New("millrace client: closed")
)

// Client sends events to a collector. Its methods may be called from any number of goroutines.
type Client struct {
	o    Options
	url  string
	http *http.Client

	wake  chan struct{} // holds one: next has something to look at
	hurry chan struct{} // holds one: Flush or Close was called, so that a pause ends
	done  chan struct{} // closed when run has ended

	ctx   context.Context // ends when what is left is to be given up
	abort context.CancelCauseFunc

	limit int           // most bytes of a request; of run alone
	pause time.Duration // the first before a request is sent again; tests shorten it

	mu      sync.Mutex // guards what follows
	queue   []item     // in the order in which they were tracked
	size    int64      // of the queue and of what is being sent
	tracked uint64     // events taken so far
	settled uint64     // of which so many, the first ones, are delivered or given up
	flush   uint64     // so many are to be settled without waiting for more
	waiters []waiter
	closed  bool
	stats   Stats
}

// waiter waits until so many events are settled.
type waiter struct {
	settled uint64
	done    chan struct{}
}

// Stats are counts of events since New.
type Stats struct {
	Delivered uint64 // answered with 2xx: they are counted
	Dropped   uint64 // of the delivered, those that the site's settings leave out
	Refused   uint64 // answered with 4xx: given up
	Lost      uint64 // given up because the context of Close ended
	Full      uint64 // not taken, for MaxPendingBytes
	Pending   uint64 // waiting or being sent
	Retries   uint64 // requests that were sent again
}

// New returns a Client, which has a goroutine until Close. It makes no request.
func New(o Options) (*Client, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	c := &Client{
		o:     o.withDefaults(),
		url:   strings.TrimRight(o.URL, "/") + "/v1/events",
		wake:  make(chan struct{}, 1),
		hurry: make(chan struct{}, 1),
		done:  make(chan struct{}),
		limit: mostBody,
		pause: firstPause,
	}
	if o.HTTPClient != nil {
		own := *o.HTTPClient
		c.http = &own
	} else {
		c.http = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	// By most redirects a POST becomes a GET, whose 200 would say that events were taken.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.ctx, c.abort = context.WithCancelCause(context.Background())
	go c.run()
	return c, nil
}

// Track takes an event to be sent, and gives it an id and a time where it has none. It makes no
// request and waits for nothing, so that it needs no context. The event is the client's from then
// on, whatever becomes of its Props.
//
// An error says that the event was not taken: ErrFull, ErrClosed, or what is wrong with it. What a
// collector finds wrong later goes to Options.OnError.
func (c *Client) Track(e Event) error {
	it, err := encode(e, c.o.Site)
	if err != nil {
		return fmt.Errorf("millrace client: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return ErrClosed
	case c.size+it.size() > c.o.MaxPendingBytes:
		c.stats.Full++
		return ErrFull
	}
	c.queue = append(c.queue, it)
	c.size += it.size()
	c.tracked++
	if len(c.queue) == 1 || len(c.queue) >= c.o.BatchEvents || c.size >= mostBody {
		signal(c.wake)
	}
	return nil
}

// Flush sends what has been tracked so far without waiting for more, and returns when all of it is
// delivered or given up, or when the context ends: then with its error, and with nothing given up.
func (c *Client) Flush(ctx context.Context) error {
	c.mu.Lock()
	if c.settled >= c.tracked {
		c.mu.Unlock()
		return nil
	}
	w := waiter{c.tracked, make(chan struct{})}
	c.waiters = append(c.waiters, w)
	c.flush = w.settled
	c.mu.Unlock()
	signal(c.wake)
	signal(c.hurry)
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("millrace client: flush: %w", context.Cause(ctx))
	}
}

// Close sends what has been tracked and ends the client. When the context ends before that is
// delivered, the rest is given up: OnError is called with it, and the error says how much it was. A
// client is closed once; further calls wait for the first.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	signal(c.wake)
	signal(c.hurry)
	select {
	case <-c.done:
	case <-ctx.Done():
		c.abort(context.Cause(ctx))
		<-c.done
	}
	c.abort(nil)
	if c.o.HTTPClient == nil {
		c.http.CloseIdleConnections()
	}
	if lost := c.Stats().Lost; lost > 0 {
		return fmt.Errorf("millrace client: close: %d events were not delivered: %w", lost, context.Cause(c.ctx))
	}
	return nil
}

// Stats returns the counts so far.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Pending = c.tracked - s.Delivered - s.Refused - s.Lost
	return s
}

// count changes the counts.
func (c *Client) count(fn func(s *Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn(&c.stats)
}

// signal leaves a message in a channel that holds one, if it has none.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
