package front

import (
	"bytes"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// TestRequestID: the id of a request is in the answer and the log, and nothing else that was sent as one.
func TestRequestID(t *testing.T) {
	var text bytes.Buffer
	status := fasthttp.StatusOK
	server := NewServer(ServerOptions{
		Name: "public", Log: slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug})), Metrics: NewMetrics(nil),
		Handler: func(ctx *fasthttp.RequestCtx) {
			ctx.SetStatusCode(status)
			if status >= 400 {
				ctx.SetBodyString(RequestID(ctx))
			}
		},
	})
	f := func(code int, sent, want string, logged bool) {
		t.Helper()
		text.Reset()
		status = code
		var ctx fasthttp.RequestCtx
		if sent != "" {
			ctx.Request.Header.Set(RequestIDHeader, sent)
		}
		server.Handler(&ctx)
		got := string(ctx.Response.Header.Peek(RequestIDHeader))
		if !regexp.MustCompile("^(" + want + ")$").MatchString(got) {
			t.Errorf("%d %q: the answer has %q, want %s", code, sent, got, want)
		}
		if body := string(ctx.Response.Body()); code >= 400 && body != got {
			t.Errorf("%d %q: the handler saw %q, the answer has %q", code, sent, body, got)
		}
		if has := strings.Contains(text.String(), "request_id="+got); has != logged || sent != got && sent != "" && strings.Contains(text.String(), sent) {
			t.Errorf("%d %q: the log is %q", code, sent, text.String())
		}
	}
	const made = "[0-9a-f]{16}"
	f(200, "", "", false)
	f(200, "abc-1.2_X", "abc-1.2_X", false)
	f(200, "two words", "", false)
	f(400, "", made, true)
	f(404, "abc", "abc", true)
	f(404, strings.Repeat("a", 65), made, true)
	f(401, "mail@example.com", made, true)
	f(503, "first", "first", true)
	f(503, "second", "second", false) // a line of a status in a minute
	f(500, "other", "other", true)
}
