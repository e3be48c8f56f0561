package statsapi

import (
	"context"
	_ "embed"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/internal/front"
	"millrace/query"
)

// The paths a Server answers.
const (
	PathQuery    = "/api/v2/query"
	PathRealtime = "/api/v1/stats/realtime/visitors"
	PathSites    = "/api/v1/sites"
	PathOpenAPI  = "/api/openapi.json"
)

// MaxBody is the largest query in bytes.
const MaxBody = 256 << 10

//go:embed openapi.json
var openAPI []byte

// Handles reports whether Handler answers a path.
func Handles(path string) bool {
	return path == PathQuery || path == PathRealtime || path == PathSites || path == PathOpenAPI || v1Params[path] != nil
}

// Handler answers one request. A path that Handles does not know gets a 404.
func (s *Server) Handler(ctx *fasthttp.RequestCtx) {
	s.cors(ctx)
	path := string(ctx.Path())
	if !Handles(path) {
		s.fail(ctx, errorf(404, "There is nothing at %q.", path))
		return
	}
	method := "GET"
	if path == PathQuery {
		method = "POST"
	}
	switch m := string(ctx.Method()); {
	case m == "OPTIONS":
		ctx.Response.Header.Set("Allow", method+", OPTIONS")
		ctx.SetStatusCode(204)
		return
	case m != method && !(m == "HEAD" && method == "GET"):
		ctx.Response.Header.Set("Allow", method+", OPTIONS")
		s.fail(ctx, errorf(405, "%s does not take %s: use %s.", path, m, method))
		return
	}
	var err error
	switch path {
	case PathQuery:
		err = s.serveQuery(ctx)
	case PathRealtime:
		err = s.serveRealtime(ctx)
	case PathSites:
		err = s.serveSites(ctx)
	case PathAggregate, PathTimeseries, PathBreakdown:
		err = s.serveV1(ctx, path)
	case PathOpenAPI:
		ctx.SetContentType("application/json")
		ctx.SetBody(openAPI)
	}
	if err != nil {
		s.fail(ctx, err)
	}
}

// untilStop is a context that ends when the HTTP server stops.
type untilStop struct {
	context.Context
	done <-chan struct{}
}

func (c untilStop) Done() <-chan struct{} { return c.done }

func (c untilStop) Err() error {
	select {
	case <-c.done:
		return context.Canceled
	default:
		return nil
	}
}

// serverContext returns what a query may run under. The RequestCtx itself must not be a parent of
// contexts: fasthttp uses it for another request while a goroutine of package context may still
// look at it.
func serverContext(ctx *fasthttp.RequestCtx) context.Context {
	return untilStop{context.Background(), ctx.Done()}
}

func (s *Server) serveQuery(ctx *fasthttp.RequestCtx) error {
	// The length comes first: a client that waits for "100 Continue" has sent no body yet.
	body := ctx.PostBody()
	if n := max(len(body), ctx.Request.Header.ContentLength()); n > MaxBody {
		return errorf(413, "The body has %d bytes: at most %d are taken.", n, MaxBody)
	}
	asCSV, err := wantsCSV(ctx)
	if err != nil {
		return err
	}
	auth := string(ctx.Request.Header.Peek("Authorization"))
	r, err := parse(body, func(site string) []Segment {
		if s.opts.Segments == nil || s.authorize(auth, site) != nil {
			return nil // errors list the segments, and are not for everyone
		}
		return s.opts.Segments(site)
	})
	if err != nil {
		// A missing key is reported first, whatever the body is.
		if aerr := s.authorizeAny(auth); aerr != nil {
			return aerr
		}
		return err
	}
	if err := s.authorize(auth, r.Site); err != nil {
		return err
	}
	if asCSV && r.include.Comparisons != nil {
		return bad("Invalid include.comparisons: CSV has no place for it; ask for JSON, or for each range by itself.")
	}
	a, err := s.answer(serverContext(ctx), r)
	if err != nil {
		return err
	}
	if s.opts.Rows != nil {
		s.opts.Rows(len(a.Results))
	}
	if asCSV {
		ctx.SetContentType("text/csv; charset=utf-8")
		ctx.SetBody(a.CSV())
		return nil
	}
	ctx.SetContentType("application/json")
	b, err := encode(a)
	if err != nil {
		return err
	}
	ctx.SetBody(b)
	return nil
}

// authorizeAny refuses a request without any key, for queries whose site is not known.
func (s *Server) authorizeAny(header string) error {
	if s.opts.Keys != nil && bearer(header) == "" {
		return s.authorize(header, "")
	}
	return nil
}

func (s *Server) serveRealtime(ctx *fasthttp.RequestCtx) error {
	site := string(ctx.QueryArgs().Peek("site_id"))
	if err := s.authorize(string(ctx.Request.Header.Peek("Authorization")), site); err != nil {
		return err
	}
	if site == "" {
		return bad("Missing site_id.")
	}
	if event.ValidSite(site) != nil {
		return bad("Invalid site_id %s: %s.", query.Show(site), event.ErrSite)
	}
	n, err := s.opts.Executor.Realtime(serverContext(ctx), site)
	if err != nil {
		return err
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(strconv.AppendUint(nil, n, 10))
	return nil
}

// wantsCSV reads ?format=, then Accept.
func wantsCSV(ctx *fasthttp.RequestCtx) (bool, error) {
	switch f := string(ctx.QueryArgs().Peek("format")); f {
	case "csv":
		return true, nil
	case "json":
		return false, nil
	case "":
		accept := string(ctx.Request.Header.Peek("Accept"))
		return strings.Contains(accept, "text/csv") && !strings.Contains(accept, "application/json"), nil
	default:
		return false, bad("Invalid format %q: it has to be \"json\" or \"csv\".", f)
	}
}

// cors lets scripts of the configured origins read the answer.
func (s *Server) cors(ctx *fasthttp.RequestCtx) {
	origin := string(ctx.Request.Header.Peek("Origin"))
	if origin == "" || !slices.Contains(s.opts.Origins, origin) && !slices.Contains(s.opts.Origins, "*") {
		return
	}
	h := &ctx.Response.Header
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Vary", "Origin")
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept")
	h.Set("Access-Control-Max-Age", "3600")
}

// fail writes the error's status and message. What is not meant for the client is logged instead.
func (s *Server) fail(ctx *fasthttp.RequestCtx, err error) {
	var e *Error
	if !errors.As(asError(err), &e) {
		e = &Error{500, "The query could not be answered because of an internal error; it has been logged."}
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			e = &Error{503, "The server is stopping, or the query took too long: try again."}
		}
		s.opts.Logger.Error("query failed", "path", string(ctx.Path()), "request_id", front.RequestID(ctx), "err", err)
	}
	if e.Status == 429 || e.Status == 503 {
		ctx.Response.Header.Set("Retry-After", "1")
	}
	if e.Status == 401 {
		ctx.Response.Header.Set("WWW-Authenticate", "Bearer")
	}
	b, err := encode(map[string]string{"error": e.Message})
	if err != nil {
		b = []byte(`{"error":"internal error"}`)
	}
	ctx.SetStatusCode(e.Status)
	ctx.SetContentType("application/json")
	ctx.SetBody(b)
}
