package front

import (
	"log"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// MaxHeaderBytes is the most that request line and headers may have together: 8 KiB of URL, and the cookies of pages that send
// them along. Larger ones are answered with 431.
const MaxHeaderBytes = 16 << 10

// ServerOptions configure a server.
type ServerOptions struct {
	// Name is the label "listener" of the metrics.
	Name    string
	Handler fasthttp.RequestHandler
	// Expect looks at a request with "Expect: 100-continue" before its body is sent. It returns true to have it; otherwise it
	// has written the answer. Nil: each body is wanted.
	Expect func(ctx *fasthttp.RequestCtx) bool
	// StreamBodies hands bodies to the handler as they come. Otherwise they are read first, within MaxBody bytes.
	StreamBodies bool
	MaxBody      int
	// WriteTimeout is for an answer as a whole.
	WriteTimeout time.Duration
	// Draining makes each answer the last one of its connection, so that clients go elsewhere. May be nil.
	Draining *atomic.Bool
	Log      *slog.Logger
	Metrics  *Metrics
}

// NewServer returns a server. Serving, on a Listener, and shutting down are the caller's.
func NewServer(o ServerOptions) *fasthttp.Server {
	report := newReporter(o.Name, o.Log, o.Metrics)
	s := &fasthttp.Server{
		Handler: report.identified(o.Handler),
		// A client that sends slowly holds a connection for that long.
		ReadTimeout:        5 * time.Second,
		WriteTimeout:       o.WriteTimeout,
		IdleTimeout:        15 * time.Second,
		ReadBufferSize:     MaxHeaderBytes,
		MaxRequestBodySize: o.MaxBody,
		// The Listener has the limit, and answers with CORS headers.
		Concurrency:                  1 << 20,
		StreamRequestBody:            o.StreamBodies,
		DisablePreParseMultipartForm: true,
		NoDefaultServerHeader:        true,
		SecureErrorLogMessage:        true,
		CloseOnShutdown:              true,
		LazyRequestTime:              true, // no handler asks for it
		// Go's net.Listen has switched keep-alive on. Fasthttp stops serving when it can't do so once more.
		TCPKeepalive: false,
		Logger:       report,
		ErrorHandler: func(ctx *fasthttp.RequestCtx, err error) {
			k := kindOf(err)
			report.report(k)
			writeError(ctx, k)
		},
	}
	if o.Draining != nil {
		next := s.Handler
		s.Handler = func(ctx *fasthttp.RequestCtx) {
			next(ctx)
			if o.Draining.Load() {
				ctx.SetConnectionClose()
			}
		}
	}
	if o.Expect != nil {
		s.ExpectHandler = func(ctx *fasthttp.RequestCtx) int {
			if o.Expect(ctx) {
				return fasthttp.StatusContinue
			}
			return ctx.Response.StatusCode()
		}
	}
	return s
}

// writeError answers a request that could not be read.
func writeError(ctx *fasthttp.RequestCtx, k kind) {
	status, body := fasthttp.StatusBadRequest, `{"error":"the request can't be read"}`
	switch k {
	case kindHeaderTooLarge:
		status, body = fasthttp.StatusRequestHeaderFieldsTooLarge, `{"error":"request line and headers have more than 16384 bytes"}`
	case kindBody:
		status, body = fasthttp.StatusRequestEntityTooLarge, `{"error":"the body is too large"}`
	case kindTimeout:
		status, body = fasthttp.StatusRequestTimeout, `{"error":"the request did not arrive in time"}`
	}
	ctx.Response.Reset()
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	ctx.SetBodyString(body)
	// Which page has sent it is not known. Answers without credentials may be read by any.
	ctx.Response.Header.Set("Access-Control-Allow-Origin", "*")
}

// ErrorLog returns a logger for the ErrorLog of a net/http server, which logs no more than NewServer's does.
func ErrorLog(name string, l *slog.Logger, m *Metrics) *log.Logger {
	return log.New(newReporter(name, l, m), "", 0)
}
