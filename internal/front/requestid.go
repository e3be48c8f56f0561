package front

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"

	"github.com/valyala/fasthttp"
)

// RequestIDHeader is the header by which a request is found again in logs: of a proxy in front, or
// made here.
const RequestIDHeader = "X-Request-Id"

// mostRequestID is the longest id that is taken.
const mostRequestID = 64

// requestIDKey is where a request's id is kept that was made here.
const requestIDKey = "millrace request id"

// RequestID returns the id of a request: the one that it came with, if that is up to 64 letters,
// digits, dots, dashes and underscores of ASCII, else one that is made at the first call. It is for
// requests that are refused or fail, and for their log lines.
func RequestID(ctx *fasthttp.RequestCtx) string {
	if id := ctx.Request.Header.Peek(RequestIDHeader); len(id) > 0 && sane(id) {
		return string(id)
	}
	if id, ok := ctx.UserValue(requestIDKey).(string); ok {
		return id
	}
	id := fmt.Sprintf("%016x", rand.Uint64())
	ctx.SetUserValue(requestIDKey, id)
	return id
}

func sane(id []byte) bool {
	for _, b := range id {
		if !(b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '.' || b == '_') {
			return false
		}
	}
	return len(id) <= mostRequestID
}

// identified answers each request that came with an id, or is refused or fails, with its id.
// Failures are reported with one of their ids, and refusals too where the log has what is for debugging.
func (r *reporter) identified(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		id := ctx.Request.Header.Peek(RequestIDHeader) // after a wait no cache would have the headers any more
		next(ctx)
		status := ctx.Response.StatusCode()
		if status < fasthttp.StatusBadRequest {
			if len(id) > 0 && sane(id) {
				ctx.Response.Header.SetBytesV(RequestIDHeader, id)
			}
			return
		}
		text := RequestID(ctx)
		ctx.Response.Header.Set(RequestIDHeader, text)
		if status >= fasthttp.StatusInternalServerError {
			r.failed(status, text)
		} else if r.log.Enabled(context.Background(), slog.LevelDebug) {
			r.log.Debug("a request is refused", "listener", r.listener, "status", status, "request_id", text)
		}
	}
}
