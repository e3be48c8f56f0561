package ingest

import (
	"log/slog"
	"time"

	"github.com/valyala/fasthttp"
)

// Server returns a server that passes the collector's paths to Handler and all others to next, with limits that fasthttp
// leaves open by default. Serving and shutting down are the caller's: listener first, then Close.
//
// Next gets a body of at most Options.MaxBodyBytes, read whole; a larger one is answered with 413 before next is called.
func (c *Collector) Server(next fasthttp.RequestHandler) *fasthttp.Server {
	return &fasthttp.Server{
		Handler: func(ctx *fasthttp.RequestCtx) {
			if c.Match(ctx.Path()) {
				c.Handler(ctx)
				return
			}
			if c.readWhole(ctx) {
				next(ctx)
			}
		},
		// A client that sends slowly holds a connection for that long. Writing starts after the wait for Kafka, so
		// WriteTimeout does not include it.
		ReadTimeout:  5 * time.Second,
		WriteTimeout: 5 * time.Second,
		IdleTimeout:  15 * time.Second,
		// Headers: 8 KiB of URL and cookies of pages that send them along.
		ReadBufferSize: 16 << 10,
		Concurrency:    20_000,
		// Bodies are streamed so that they are refused before they are read, if they are.
		StreamRequestBody:            true,
		MaxRequestBodySize:           c.opts.MaxBodyBytes,
		DisablePreParseMultipartForm: true,
		NoDefaultServerHeader:        true,
		SecureErrorLogMessage:        true,
		CloseOnShutdown:              true,
		ReduceMemoryUsage:            false,
		TCPKeepalive:                 true,
		Logger:                       slog.NewLogLogger(c.opts.Log.Handler(), slog.LevelWarn),
	}
}

// readWhole replaces a streamed body by its bytes, within the limit; otherwise it answers.
func (c *Collector) readWhole(ctx *fasthttp.RequestCtx) bool {
	if !ctx.Request.IsBodyStream() {
		return true
	}
	var r request
	defer r.release(&c.pending)
	raw, whole, ref := c.raw(ctx, &r)
	if ref == nil && !whole {
		ref = c.tooLarge()
	}
	if ref != nil {
		c.refuse(ctx, ref, refuseJSON)
		return false
	}
	ctx.Request.SetBody(raw)
	return true
}
