package ingest

import (
	"time"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/internal/front"
)

// Server returns a server that passes the collector's paths to Handler and all others to o.Handler. Name, Handler, Expect,
// Draining, Log and Metrics of o are the caller's; the rest is set here. Serving and shutting down are the caller's: listener
// first, then Close.
//
// O.Handler gets a body of at most Options.MaxBodyBytes, read whole; a larger one is answered with 413 before it is called.
func (c *Collector) Server(o front.ServerOptions) *fasthttp.Server {
	next, expectNext := o.Handler, o.Expect
	o.Handler = func(ctx *fasthttp.RequestCtx) {
		if c.Match(ctx.Path()) {
			c.Handler(ctx)
			return
		}
		if c.readWhole(ctx) {
			next(ctx)
		}
	}
	o.Expect = func(ctx *fasthttp.RequestCtx) bool {
		if rt := c.endpoints.find(ctx.Path()); rt != nil {
			return c.expect(ctx, rt)
		}
		return expectNext == nil || expectNext(ctx)
	}
	// Bodies are streamed so that they are refused before they are read, if they are.
	o.StreamBodies, o.MaxBody = true, c.opts.MaxBodyBytes
	// Writing starts after the wait for Kafka, so this does not include it.
	o.WriteTimeout = 5 * time.Second
	return front.NewServer(o)
}

// expect answers a client that waits for "100 Continue" with a body that would be refused, and returns false; true has the body
// sent.
func (c *Collector) expect(ctx *fasthttp.RequestCtx, rt *route) bool {
	switch {
	case !takes(rt.methods, ctx):
		c.Handler(ctx) // 405, or what OPTIONS wants, whatever the body
		return false
	case ctx.Request.Header.ContentLength() > c.opts.MaxBodyBytes:
		allowOrigin(ctx, rt.credentials)
		r := c.requests.Get().(*request)
		r.Begin(ctx, rt.path(), event.TimeOf(c.now()))
		c.refuse(rt.rest(), r, c.bodies.TooLarge()) // a body that is not here claims nothing
		r.release()
		c.requests.Put(r)
		return false
	}
	return true
}

// readWhole replaces a streamed body by its bytes, within the limit; otherwise it answers.
func (c *Collector) readWhole(ctx *fasthttp.RequestCtx) bool {
	if !ctx.Request.IsBodyStream() {
		return true
	}
	memory, buf := reservation{budget: &c.pending}, []byte(nil)
	defer memory.release()
	raw, whole, ref := c.bodies.Raw(ctx, &memory, &buf)
	if ref == nil && !whole {
		ref = c.bodies.TooLarge()
	}
	if ref != nil {
		c.count(ctx, ref)
		protocol.RefuseJSON(ctx, ref)
		return false
	}
	ctx.Request.SetBody(raw)
	return true
}
