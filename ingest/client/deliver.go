package client

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// firstPause and longestPause bound the pause before a request is sent again, where the collector
	// names none. It doubles from one to the other, and of it up to a half is left out at random, so that
	// many clients do not come back at once.
	firstPause   = 500 * time.Millisecond
	longestPause = 30 * time.Second
	// mostMistakes is how often a request is sent that is answered with 500, before the event at which
	// the collector fails is looked for.
	mostMistakes = 3
)

// run sends what is tracked until the client is closed.
func (c *Client) run() {
	defer close(c.done)
	for {
		batch := c.next()
		if batch == nil {
			return
		}
		c.deliver(batch)
		c.settle(batch)
	}
}

// next waits for the next events to be sent. It returns nil when the client is closed and there are
// none.
func (c *Client) next() []item {
	for {
		batch, wait, ended := c.take()
		if batch != nil || ended {
			return batch
		}
		if wait == 0 {
			<-c.wake
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-c.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// take removes the next events from the queue, if it is time: a request is full, the oldest has
// waited for BatchWait, or nothing is waited for any more. Otherwise wait is how long that takes, 0
// where there are none.
func (c *Client) take() (batch []item, wait time.Duration, ended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		c.queue = nil
		return nil, 0, c.closed
	}
	n, bytes := 0, 2
	for n < len(c.queue) && n < c.o.BatchEvents && (n == 0 || bytes+len(c.queue[n].json)+1 <= c.limit) {
		bytes += len(c.queue[n].json) + 1
		n++
	}
	if full := n == c.o.BatchEvents || n < len(c.queue); !full && !c.closed && c.flush <= c.settled {
		if wait = c.o.BatchWait - time.Since(c.queue[0].at); wait > 0 {
			return nil, wait, false
		}
	}
	batch = slices.Clone(c.queue[:n])
	clear(c.queue[:n])
	c.queue = c.queue[n:]
	return batch, 0, false
}

// settle notes that a batch is delivered or given up.
func (c *Client) settle(batch []item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range batch {
		c.size -= batch[i].size()
	}
	c.settled += uint64(len(batch))
	c.waiters = slices.DeleteFunc(c.waiters, func(w waiter) bool {
		if w.settled > c.settled {
			return false
		}
		close(w.done)
		return true
	})
}

// deliver sends events until the collector has them, or has refused them, or the client is aborted.
func (c *Client) deliver(batch []item) {
	pause, mistakes := c.pause, 0
	for away := false; ; {
		if c.ctx.Err() != nil {
			c.giveUp(batch)
			return
		}
		a := c.send(batch)
		switch {
		case a.taken:
			if away {
				c.o.Log.Info("the collector takes events again", "url", c.url)
			}
			c.count(func(s *Stats) {
				s.Delivered += uint64(len(batch))
				s.Dropped += uint64(max(0, len(batch)-a.accepted))
			})
			return
		case a.refusal != nil && a.refusal.Status < http.StatusInternalServerError:
			c.refused(batch, a.refusal)
			return
		case a.refusal != nil:
			if mistakes++; mistakes == mostMistakes {
				c.halve(batch, a.refusal)
				return
			}
		}
		if c.ctx.Err() != nil {
			continue // it is the abort that the request failed by
		}
		if !away {
			c.o.Log.Warn("events could not be sent and are kept", "url", c.url, "why", a.why())
			away = true
		}
		if c.wait(a, pause) {
			pause = c.pause
		} else {
			pause = min(2*pause, longestPause)
		}
		c.count(func(s *Stats) { s.Retries++ })
	}
}

// wait waits before a request is sent again: for as long as the collector has said and up to a first
// pause more, or for a pause. The latter ends when Flush or Close are called, which it reports.
func (c *Client) wait(a answer, pause time.Duration) (hurried bool) {
	hurry := c.hurry
	d := pause/2 + rand.N(pause/2+1)
	if a.retryAfter > 0 {
		d, hurry = a.retryAfter+rand.N(c.pause), nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-hurry:
		return true
	case <-c.ctx.Done():
	}
	return false
}

// refused gives up the events that a refusal is about, and delivers the others: a collector refuses
// a request whole.
func (c *Client) refused(batch []item, ref *Refusal) {
	if ref.Status == http.StatusRequestEntityTooLarge && len(batch) > 1 {
		c.limit = max(bodySize(batch)/2, 1)
		c.halve(batch, ref)
		return
	}
	i, alone, ok := ref.event(len(batch))
	switch {
	case !ok:
		c.drop(batch, ref)
		return
	case alone.isAbout("ts") && strings.Contains(alone.Reason, "trusted"): // all events have a time
		c.drop(batch, alone)
		return
	}
	var bad, good []item
	for j, it := range batch {
		// What is wrong with a site is said of its first event.
		if j == i || alone.isAbout("site") && it.site == batch[i].site {
			bad = append(bad, it)
		} else {
			good = append(good, it)
		}
	}
	c.drop(bad, alone)
	if len(good) > 0 {
		c.deliver(good)
	}
}

// halve delivers the halves of a batch that can't be taken whole. One event is given up.
func (c *Client) halve(batch []item, ref *Refusal) {
	if len(batch) == 1 {
		c.drop(batch, ref)
		return
	}
	c.deliver(batch[:len(batch)/2])
	c.deliver(batch[len(batch)/2:])
}

// drop gives up events that the collector will not take.
func (c *Client) drop(batch []item, ref *Refusal) {
	c.count(func(s *Stats) { s.Refused += uint64(len(batch)) })
	c.o.Log.Error("the collector has refused events", "url", c.url, "events", len(batch), "status", ref.Status, "reason", ref.Reason)
	c.o.OnError(decode(batch), ref)
}

// giveUp gives up events at the end of Close's context.
func (c *Client) giveUp(batch []item) {
	c.count(func(s *Stats) { s.Lost += uint64(len(batch)) })
	c.o.Log.Error("events were not delivered before the end", "url", c.url, "events", len(batch))
	c.o.OnError(decode(batch), ErrClosed)
}

// body returns the body of a request.
func body(batch []item) []byte {
	b := bytes.NewBuffer(make([]byte, 0, bodySize(batch)))
	for i, it := range batch {
		b.WriteByte("[,"[min(i, 1)])
		b.Write(it.json)
	}
	b.WriteByte(']')
	return b.Bytes()
}

func bodySize(batch []item) int {
	n := 1
	for _, it := range batch {
		n += len(it.json) + 1
	}
	return n
}
