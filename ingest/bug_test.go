package ingest

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// faulty is a protocol that indexes past the end of what it reads, where that is "short".
type faulty struct{}

func (faulty) Read(r *protocol.Request) ([]protocol.Input, *protocol.Refusal) {
	if body := r.Ctx.PostBody(); string(body) == "short" {
		_ = body[len(body)+1]
	}
	return nil, nil
}

func (faulty) Accept(r *protocol.Request, _ protocol.Outcome) {
	r.Ctx.SetStatusCode(fasthttp.StatusNoContent)
}

func (faulty) Refuse(r *protocol.Request, ref *protocol.Refusal) { protocol.RefuseJSON(r.Ctx, ref) }

// TestPanicOfProtocol: a mistake in a protocol refuses the request that meets it, and nothing else;
// the log has its stack once, and nothing of the request.
func TestPanicOfProtocol(t *testing.T) {
	var log bytes.Buffer
	c := mustOpen(t, mustCluster(t), func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		o.MaxBodyBytes, o.MaxPendingBytes = 64<<10, 64<<10
		o.Protocols = append(o.Protocols, protocol.Protocol{
			Name:      "faulty",
			Endpoints: []protocol.Endpoint{{Path: "/faulty", Methods: []string{"POST"}, Handler: faulty{}}},
		})
	})
	for range 100 { // more than fit into memory, if it were not given back
		if got := call(c, "192.0.2.7", "POST", "/faulty", "short").StatusCode(); got != fasthttp.StatusInternalServerError {
			t.Fatalf("status %d", got)
		}
	}
	if got := call(c, "192.0.2.7", "POST", "/faulty", "right").StatusCode(); got != fasthttp.StatusNoContent {
		t.Errorf("status %d after a panic", got)
	}
	text := log.String()
	if n := strings.Count(text, "BUG: a request could not be read"); n != 1 || !strings.Contains(text, "faulty.Read") ||
		!strings.Contains(text, "index out of range") || strings.Contains(text, "192.0.2.7") {
		t.Errorf("logged %d times:\n%s", n, text)
	}
}
