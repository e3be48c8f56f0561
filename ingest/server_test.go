package ingest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"millrace/internal/site"
)

// exchange sends raw bytes to a server and returns its answer.
func exchange(t *testing.T, url, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.60q: %v", request, err)
	}
	return resp
}

// TestExpectContinue: what will be refused by its head is refused before its body is sent.
func TestExpectContinue(t *testing.T) {
	c := mustOpen(t, mustCluster(t), func(o *Options) { o.MaxBodyBytes = 2000 })
	url := mustServe(t, c)
	f := func(line, length string, status int) {
		t.Helper()
		resp := exchange(t, url, line+" HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: "+length+"\r\n\r\n")
		if resp.StatusCode != status {
			t.Errorf("%s of %s bytes: %s, want %d", line, length, resp.Status, status)
		}
		if status != 100 && (resp.Header.Get("Access-Control-Allow-Origin") != "*" || !resp.Close) {
			t.Errorf("%s: %v, close %v", line, resp.Header, resp.Close)
		}
	}
	f("POST /v1/events", "2000", 100)
	f("POST /v1/events", "2001", 413)
	f("POST /api/event", "900000000", 413)
	f("POST /v1/pixel.gif", "10", 405)
	f("PUT /v1/events", "10", 405)
	f("POST /elsewhere", "10", 100) // the next handler's
}

// TestHeaderTooLarge: a page may read why its beacon was refused.
func TestHeaderTooLarge(t *testing.T) {
	url := mustServe(t, mustOpen(t, mustCluster(t), nil))
	resp := exchange(t, url, "POST /v1/events HTTP/1.1\r\nHost: a\r\nCookie: "+strings.Repeat("x", 17<<10)+"\r\n\r\n")
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != 431 || resp.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(string(body), "16384 bytes") || err != nil {
		t.Errorf("%s %v %q, %v", resp.Status, resp.Header, body, err)
	}
}

// TestHeadOfPixel: the head of the answer to GET, and no view.
func TestHeadOfPixel(t *testing.T) {
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, func(o *Options) { o.Sites = []site.Site{{ID: "a.example.com"}} })
	url := mustServe(t, c)
	resp, err := http.Head(url + "/v1/pixel.gif?site=a.example.com&url=https://a.example.com/")
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.ContentLength != 43 || resp.Header.Get("Content-Type") != "image/gif" || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%s, %d bytes, %v", resp.Status, resp.ContentLength, resp.Header)
	}
	if resp, err = http.Head(url + "/v1/pixel.gif?site=b.example.com"); err != nil || resp.StatusCode != 400 {
		t.Errorf("a site that GET refuses: %v, %v", resp, err)
	}
	if res := call(c, outside, "DELETE", "/v1/pixel.gif", ""); string(res.Header.Peek("Allow")) != "GET, HEAD, OPTIONS" {
		t.Errorf("Allow %q", res.Header.Peek("Allow"))
	}
	c.Close()
	for _, r := range readAll(t, cluster) {
		if len(r.events) > 0 {
			t.Errorf("a HEAD was counted: %+v", r.events)
		}
	}
}
