package script

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"millrace/ingest/protocol"
)

// get asks for a path with headers, and returns the answer.
func get(t *testing.T, p protocol.Protocol, path string, headers ...string) *fasthttp.Response {
	t.Helper()
	for _, e := range p.Endpoints {
		if e.Path != path && !(protocol.HasPattern(e.Path) && protocol.MatchPath(e.Path, path)) {
			continue
		}
		ctx := &fasthttp.RequestCtx{}
		ctx.Request.SetRequestURI(path)
		for i := 0; i < len(headers); i += 2 {
			ctx.Request.Header.Set(headers[i], headers[i+1])
		}
		var r protocol.Request
		r.Begin(ctx, e.Path, 0)
		if inputs, ref := e.Read(&r); ref != nil {
			e.Refuse(&r, ref)
		} else if e.Accept(&r, protocol.Outcome{}); len(inputs) != 0 {
			t.Errorf("%s: %d events", path, len(inputs))
		}
		return &ctx.Response
	}
	return nil
}

// TestNoStorage: the script keeps nothing in a browser. That it is made of script.js is tested where it
// is made (internal/gen, -tags generated).
func TestNoStorage(t *testing.T) {
	for _, storage := range []string{"cookie", "localStorage", "sessionStorage", "indexedDB", "caches"} {
		if bytes.Contains(text, []byte(storage)) {
			t.Errorf("the script knows %s", storage)
		}
	}
	if !bytes.Contains(text, []byte("sendBeacon")) {
		t.Errorf("it sends nothing: is this the script? %.100s", text)
	}
}

func TestNames(t *testing.T) {
	p := Protocol("/assets/pages.js", "/js/script.js", "/x.js")
	if err := protocol.Validate([]protocol.Protocol{p}); err != nil {
		t.Fatal(err)
	}
	f := func(path string, want int) {
		t.Helper()
		switch res := get(t, p, path); {
		case res == nil && want != 0:
			t.Errorf("%s is not served", path)
		case res != nil && (res.StatusCode() != want || want == 200 && !bytes.Equal(res.Body(), text)):
			t.Errorf("%s: %d %s", path, res.StatusCode(), res.Body())
		}
	}
	f("/js/script.js", 200)
	f("/assets/pages.js", 200)
	f("/x.js", 200)
	f("/js/script.hash.outbound-links.404.js", 200)
	f("/js/plausible.js", 200)
	f("/js/pa-Ab_3-x.js", 200)
	f("/js/other.js", 404)
	f("/js/script.map", 404)
	f("/js/a/script.js", 0)
}

// TestAnswer: packed for those who take it, and not sent to those who have it.
func TestAnswer(t *testing.T) {
	p := Protocol()
	plain, packed := string(get(t, p, path).Header.Peek("ETag")), string(get(t, p, path, "Accept-Encoding", "gzip").Header.Peek("ETag"))
	if len(plain) < 18 || plain == packed {
		t.Fatalf("ETags %s and %s", plain, packed)
	}
	f := func(status int, encoding string, headers ...string) {
		t.Helper()
		res := get(t, p, path, headers...)
		h := &res.Header
		if res.StatusCode() != status || string(h.ContentEncoding()) != encoding || string(h.Peek("Vary")) != "Accept-Encoding" ||
			string(h.Peek("Cache-Control")) != "public, max-age=3600" || string(h.Peek("X-Content-Type-Options")) != "nosniff" {
			t.Errorf("%q: %s", headers, h)
		}
		body := res.Body()
		if encoding == "gzip" {
			if len(body) > 1024 {
				t.Errorf("%d bytes", len(body))
			}
			r, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		if status == 200 && (!bytes.Equal(body, text) || !strings.HasPrefix(string(h.ContentType()), "text/javascript")) || status == 304 && len(body) > 0 {
			t.Errorf("%q: %s\n%s", headers, h, body)
		}
	}
	f(200, "")
	f(200, "gzip", "Accept-Encoding", "br, gzip, deflate")
	f(200, "gzip", "Accept-Encoding", "GZIP ; q=0.5")
	f(200, "", "Accept-Encoding", "gzip;q=0, br")
	f(200, "", "Accept-Encoding", "gzip; q=0.000")
	f(200, "", "Accept-Encoding", "x-gzip2")
	f(304, "", "If-None-Match", plain)
	f(304, "", "If-None-Match", `"a", W/`+packed, "Accept-Encoding", "gzip")
	f(304, "", "If-None-Match", "*")
	f(200, "gzip", "If-None-Match", plain, "Accept-Encoding", "gzip")
	f(200, "", "If-None-Match", `"0"`)
}
