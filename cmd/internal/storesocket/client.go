package storesocket

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
)

var (
	// ErrNone is returned by Dial where no serve answers.
	ErrNone = errors.New("no serve answers in the data folder")
	// ErrBusy is returned by Dial while another command uses the store.
	ErrBusy = errors.New("another import or replay is at work on the data folder: wait for its end")
	// ErrOther is returned by Dial where serve is of another build.
	ErrOther = errors.New("the serve on the data folder is of another build: use its own program, or stop it")
	// ErrStopped is wrapped by the errors of calls that serve did not answer to the end.
	ErrStopped = errors.New("serve has stopped meanwhile: repeat the command")
)

// Client uses the store of a running serve. It reads as package replay's Reader and writes as its Sink.
type Client struct {
	http    *http.Client
	token   string
	store   bool
	left    atomic.Int64
	session io.Closer
	cancel  context.CancelFunc
}

// busyWait is how long Dial waits for its turn: serve takes a moment to see that the client before is gone.
const busyWait = 2 * time.Second

// Dial begins a session. The error is one of those above, or the context's.
func Dial(ctx context.Context, path, build string) (*Client, error) {
	for began := time.Now(); ; {
		c, err := dialOnce(ctx, path, build)
		if !errors.Is(err, ErrBusy) || time.Since(began) > busyWait {
			return c, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func dialOnce(ctx context.Context, path, build string) (*Client, error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	// The session outlives ctx, so that what a command does at its end is in it.
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &Client{http: &http.Client{Transport: &http.Transport{DialContext: dial}}, cancel: cancel}
	resp, err := c.post(life, "session", http.NoBody)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("%w: %w", ErrNone, err)
	}
	var h hello
	switch {
	case resp.StatusCode == http.StatusConflict:
		err = ErrBusy
	case resp.StatusCode != http.StatusOK:
		err = ErrOther
	default:
		if gob.NewDecoder(resp.Body).Decode(&h) != nil || h.Build != build {
			err = ErrOther
		}
	}
	c.token, c.store, c.session = h.Token, h.Store, resp.Body
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// HasStore reports whether serve has a rollup store of its own.
func (c *Client) HasStore() bool { return c.store }

// Left is how many windows Replace has left as they were, because they have fired behind what they were computed of.
func (c *Client) Left() int64 { return c.left.Load() }

// Close ends the session.
func (c *Client) Close() error {
	c.cancel()
	err := c.session.Close()
	c.http.CloseIdleConnections()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return err
}

func (c *Client) post(ctx context.Context, name string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://serve/"+name, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set(tokenHeader, c.token)
	return c.http.Do(req)
}

// call makes a call and returns the end of its answer; each is called with the parts before it.
func (c *Client) call(ctx context.Context, name string, body io.Reader, each func(*answer) error) (answer, error) {
	resp, err := c.post(ctx, name, body)
	if err != nil {
		return answer{}, errors.Join(ctx.Err(), fmt.Errorf("%w: %w", ErrStopped, err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("%w: %s", ErrStopped, resp.Status)
	}
	in := gob.NewDecoder(resp.Body)
	for {
		var a answer
		if err := in.Decode(&a); err != nil {
			return a, errors.Join(ctx.Err(), fmt.Errorf("%w: %w", ErrStopped, err))
		}
		switch {
		case a.Failed:
			return a, fmt.Errorf("the rollup store of the running serve: %s", a.Err)
		case a.End:
			return a, nil
		case each == nil:
			return a, fmt.Errorf("%w: it answers %s in parts", ErrOther, name)
		}
		if err := each(&a); err != nil {
			return a, err
		}
	}
}

func encoded(values ...any) (io.Reader, error) {
	var b bytes.Buffer
	out := gob.NewEncoder(&b)
	for _, v := range values {
		if err := out.Encode(v); err != nil {
			return nil, err
		}
	}
	return &b, nil
}

// Scan is the store's.
func (c *Client) Scan(ctx context.Context, sel window.Selection, fn func(start event.Time, final bool, p *window.Point) error) error {
	return c.scan(ctx, "scan", sel, fn)
}

// ScanFamilies is Scan for one family of the selection's kind after the other, in one call.
func (c *Client) ScanFamilies(ctx context.Context, sel window.Selection, fn func(start event.Time, final bool, p *window.Point) error) error {
	return c.scan(ctx, "families", sel, fn)
}

func (c *Client) scan(ctx context.Context, name string, sel window.Selection, fn func(start event.Time, final bool, p *window.Point) error) error {
	body, err := encoded(sel)
	if err != nil {
		return err
	}
	_, err = c.call(ctx, name, body, func(a *answer) error { return fn(a.Start, a.Final, &a.Point) })
	return err
}

// Sites is the store's.
func (c *Client) Sites(ctx context.Context) ([]string, error) {
	a, err := c.call(ctx, "sites", http.NoBody, nil)
	return a.Sites, err
}

// Progress is the store's.
func (c *Client) Progress(ctx context.Context) ([]window.Progress, error) {
	a, err := c.call(ctx, "progress", http.NoBody, nil)
	return a.Progress, err
}

// Fired is the store's.
func (c *Client) Fired(ctx context.Context, k window.Kind, site string, start event.Time) ([]window.Window, error) {
	body, err := encoded(window.Window{Kind: k, Site: site, Start: start})
	if err != nil {
		return nil, err
	}
	a, err := c.call(ctx, "fired", body, nil)
	return a.Fired, err
}

// Replace is the store's ReplaceSettled; Left counts what it leaves.
func (c *Client) Replace(ctx context.Context, ws []*window.Window) error {
	values := make([]any, len(ws))
	for i, w := range ws {
		values[i] = w
	}
	body, err := encoded(values...)
	if err != nil {
		return err
	}
	a, err := c.call(ctx, "replace", body, nil)
	c.left.Add(int64(a.Left))
	return err
}
