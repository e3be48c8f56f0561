package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

var testTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func packed(t *testing.T, encoding, body string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "raw deflate":
		w, _ = flate.NewWriter(&b, 6)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		w, _ = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	}
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestContentEncodings(t *testing.T) {
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, nil)
	url := mustServe(t, c) + "/v1/events"
	body := func(id string) string {
		return `{"site":"a.example","name":"x","id":"` + id + `","props":{"long":"` + strings.Repeat("abc ", 400) + `"}}`
	}
	send := func(encoding, body string) (int, string) {
		req, _ := http.NewRequest("POST", url, strings.NewReader(body))
		req.Header.Set("Content-Encoding", encoding)
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(b)
	}
	encodings := []string{"gzip", "deflate", "raw deflate", "br", "zstd"}
	for _, e := range encodings {
		name := strings.TrimPrefix(e, "raw ")
		if status, answer := send(name, packed(t, e, body(e))); status != 202 {
			t.Errorf("%s: %d %s", e, status, answer)
		}
		if status, answer := send(name, "these are not packed bytes"); status != 400 || !strings.Contains(answer, "content-encoding") {
			t.Errorf("%s, garbage: %d %s", e, status, answer)
		}
		whole := packed(t, e, body("cut"))
		if status, answer := send(name, whole[:len(whole)/2]); status != 400 {
			t.Errorf("%s, cut off: %d %s", e, status, answer)
		}
	}
	if status, answer := send("identity", body("identity")); status != 202 {
		t.Errorf("identity: %d %s", status, answer)
	}
	status, answer := send("lzma", "x")
	if want := `{"error":"content-encoding \"lzma\": not supported: use gzip, deflate, br or zstd"}`; status != 400 || answer != want {
		t.Errorf("lzma: %d %s", status, answer)
	}
	c.Close()
	got := make(map[string]int)
	for _, e := range allEvents(readAll(t, cluster)) {
		got[e.ID] = len(e.Props[0].Value)
	}
	for _, e := range append(encodings, "identity") {
		if got[e] != 1600 {
			t.Errorf("%s: prop of %d bytes", e, got[e])
		}
	}
	if len(got) != 6 {
		t.Errorf("%d events", len(got))
	}
}

// TestBombs: 10 MB of gzip that unpack to 10 GB, and what other encodings make of it, cost a 400 and little memory.
func TestBombs(t *testing.T) {
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, func(o *Options) { o.TickEvery = 10 * time.Second }) // ticks allocate too
	waitTicks(t, cluster)
	url := mustServe(t, c) + "/v1/events"
	zeros := strings.Repeat("\x00", 1<<20)
	bomb := func(encoding string, megabytes int) []byte {
		var b bytes.Buffer
		var w io.WriteCloser
		switch encoding {
		case "gzip":
			// A member of 10 MB, 1,000 times: gzip files may be concatenated.
			w, _ = gzip.NewWriterLevel(&b, gzip.BestCompression)
		case "br":
			w = brotli.NewWriterLevel(&b, 5)
		case "zstd":
			w, _ = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(4<<20))
		case "zstd 8":
			w, _ = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(8<<20))
		}
		for range megabytes {
			io.WriteString(w, zeros)
		}
		w.Close()
		return b.Bytes()
	}
	f := func(encoding string, body []byte, most uint64) {
		t.Helper()
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		req, _ := http.NewRequest("POST", url, bytes.NewReader(body))
		req.Header.Set("Content-Encoding", encoding)
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err != nil {
			t.Fatalf("%s: %v", encoding, err)
		}
		answer, _ := io.ReadAll(res.Body)
		res.Body.Close()
		runtime.ReadMemStats(&after)
		if res.StatusCode != 400 {
			t.Errorf("%s: %d %s", encoding, res.StatusCode, answer)
		}
		cost := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d bytes, %d allocated: %s", encoding, len(body), cost, answer)
		// Everything that was ever allocated, by the client of this test too, is more than what was held at once.
		if cost > most {
			t.Errorf("%s: %d bytes were allocated, want less than %d", encoding, cost, most)
		}
	}
	member := bomb("gzip", 10)
	f("gzip", bytes.Repeat(member, 10<<20/len(member)), 5<<20)
	// These two need their window of 4 MiB too. The zstd of an encoder that wants 8 is refused at its head.
	f("br", bomb("br", 100), 8<<20)
	f("zstd", bomb("zstd", 100), 8<<20)
	f("zstd", bomb("zstd 8", 100), 1<<20)
}

// TestBodyLimits sends bodies that are larger than allowed, announced and chunked, to our paths and to others.
func TestBodyLimits(t *testing.T) {
	c := mustOpen(t, mustCluster(t), nil)
	base := mustServe(t, c)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	f := func(path string, size int, chunked bool, status int, answer string) {
		t.Helper()
		var body io.Reader = strings.NewReader(strings.Repeat(" ", size))
		if chunked {
			body = struct{ io.Reader }{body}
		}
		res, err := client.Post(base+path, "text/plain", body)
		if err != nil {
			t.Errorf("%s %d: %v", path, size, err)
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		if res.StatusCode != status || string(b) != answer {
			t.Errorf("%s %d chunked=%v: %d %s", path, size, chunked, res.StatusCode, b)
		}
	}
	large := `{"error":"the body is larger than 1048576 bytes"}`
	for _, chunked := range []bool{false, true} {
		f("/v1/events", 1<<20, chunked, 400, `{"error":"the body is empty"}`)
		f("/v1/events", 1<<20+1, chunked, 413, large)
		f("/v1/events", 1<<20+100_000, chunked, 413, large)
		f("/api/event", 1<<20+1, chunked, 413, `{"errors":{"request":["the body is larger than 1048576 bytes"]}}`)
		f("/query", 100_000, chunked, 200, "next got 100000 bytes")
		f("/query", 1<<20+1, chunked, 413, large)
	}
	// One that is no stream any more, as behind a server that reads bodies first.
	if res := call(c, outside, "POST", "/v1/events", strings.Repeat(" ", 2<<20)); res.StatusCode() != 413 || string(res.Body()) != large {
		t.Errorf("a body that was read already: %d %s", res.StatusCode(), res.Body())
	}
	if n := c.pending.used.Load(); n != 0 {
		t.Errorf("%d bytes are still reserved", n)
	}
}

// TestBodyCutShort: a sender who ends in the midst of what he announced is refused whole, even where what came is NDJSON that
// ends with a line: he will send all of it again.
func TestBodyCutShort(t *testing.T) {
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, nil)
	addr := strings.TrimPrefix(mustServe(t, c), "http://")
	line := `{"site":"a.example","name":"x"}` + "\n"
	f := func(head, body string, status int) {
		t.Helper()
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n%s", head, body)
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if b, _ := io.ReadAll(res.Body); res.StatusCode != status {
			t.Errorf("%s, %d bytes: %d %s, want %d", head, len(body), res.StatusCode, b, status)
		}
	}
	lines := func(n int) string { return strings.Repeat(line, n) }
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d", n*len(line)) }
	chunk := func(n int) string { return fmt.Sprintf("%x\r\n%s\r\n", n*len(line), lines(n)) }
	f(length(2), lines(2), 202)
	f(length(3), lines(2), 400)
	f(length(900), lines(800), 400) // more than comes with the header
	f("Transfer-Encoding: chunked", chunk(1)+chunk(1)+"0\r\n\r\n", 202)
	f("Transfer-Encoding: chunked", chunk(1)+chunk(1), 400)
	f("Transfer-Encoding: chunked", chunk(400)+chunk(400), 400)
	// One that came whole leaves its connection to the next.
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	for range 3 {
		res, err := client.Post("http://"+addr+"/v1/events", "text/plain", struct{ io.Reader }{strings.NewReader(line)})
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(res.Body); res.StatusCode != 202 || res.Close {
			t.Errorf("chunked: %d %s, closed: %v", res.StatusCode, b, res.Close)
		}
		res.Body.Close()
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(allEvents(readAll(t, cluster))); n != 4+3 {
		t.Errorf("%d events are stored, want 7", n)
	}
}

// TestStalledBodies: senders who announce much and send nothing hold next to no memory, and do not keep others out.
func TestStalledBodies(t *testing.T) {
	c := mustOpen(t, mustCluster(t), func(o *Options) { o.MaxPendingBytes = 1 << 20 })
	url := mustServe(t, c)
	for range 50 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n%s", strings.Repeat(" ", 9000))
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range 20 {
		if status, answer := post(t, client, url+"/v1/events", `{"site":"a.example","name":"x"}`); status != 202 {
			t.Fatalf("%d %s", status, answer)
		}
	}
}

// TestManyBodies: 100,000 unique bodies through real connections, none mixed up: each event arrives once, and all of
// its fields belong to one body.
func TestManyBodies(t *testing.T) {
	t.Parallel()
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, nil)
	addr := strings.TrimPrefix(mustServe(t, c), "http://")
	total, senders := 16_000, 16
	if *thorough {
		total = 100_000
	}
	if testing.Short() {
		total = 8_000 // whole requests for each sender
	}
	mark := func(i int) string { return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "body %d", i)))[:32] }
	errs := make(chan error, senders)
	for s := range senders {
		go func() { errs <- sendBodies(addr, s, total/senders, mark) }()
	}
	for range senders {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	seen := make(map[string]bool, total)
	for _, e := range allEvents(readAll(t, cluster)) {
		var i int
		if _, err := fmt.Sscanf(e.ID, "id-%d", &i); err != nil || seen[e.ID] {
			t.Fatalf("event %q: %v, seen before: %v", e.ID, err, seen[e.ID])
		}
		seen[e.ID] = true
		m := mark(i)
		if e.Name != m || e.URL != "https://x.example/"+m || e.Props[0].Key != m || e.Props[0].Value != m+m || e.UA != "ua "+m {
			t.Fatalf("event %d is mixed up: %+v", i, e)
		}
	}
	if want := total / senders * senders; len(seen) != want {
		t.Errorf("%d events, want %d", len(seen), want)
	}
}

// sendBodies sends ten events a request, as an array and as NDJSON by turns; a few requests are under way at a time.
func sendBodies(addr string, sender, n int, mark func(int) string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	const perRequest, pipelined = 10, 8
	in := bufio.NewReader(conn)
	requests := n / perRequest
	answers := make(chan error, 1)
	turns := make(chan struct{}, pipelined)
	go func() {
		for range requests {
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				answers <- err
				return
			}
			b, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode != 202 || string(b) != `{"accepted":10}` {
				answers <- fmt.Errorf("%d %s", res.StatusCode, b)
				return
			}
			<-turns
		}
		answers <- nil
	}()
	for r := range requests {
		var body bytes.Buffer
		first := sender*n + r*perRequest
		for i := range perRequest {
			m := mark(first + i)
			sep := "\n"
			if r%2 == 0 {
				sep = ","
			}
			if i > 0 {
				body.WriteString(sep)
			}
			fmt.Fprintf(&body, `{"id":"id-%d","site":"s%d.example","name":"%s","url":"https://x.example/%s","props":{"%s":"%s%s"},"ua":"ua %s"}`,
				first+i, (first+i)%50, m, m, m, m, m, m)
		}
		b := body.String()
		if r%2 == 0 {
			b = "[" + b + "]"
		}
		select {
		case turns <- struct{}{}:
		case err := <-answers:
			return err
		}
		if _, err := fmt.Fprintf(conn, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(b), b); err != nil {
			return err
		}
	}
	return <-answers
}
