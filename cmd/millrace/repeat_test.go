package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSentAgainByItself does what Chromium 156 was measured to do: a POST on a connection that it has used before, which the
// other side closes without an answer although it has taken the request, goes out again on a new one, the same to the byte.
// It counts once. Beside it, what is no event counts as none.
func TestSentAgainByItself(t *testing.T) {
	t.Parallel()
	s := mustServe(t, localPlace(t), "--partitions", "1")
	host := strings.TrimPrefix(s.url, "http://")
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	// proxied takes what a client sends on, and closes the connection when it has the second answer, which it keeps.
	client, proxy := net.Pipe()
	done := make(chan error, 1)
	go func() {
		up := dial()
		go io.Copy(up, proxy)
		answers := bufio.NewReader(up)
		res, err := http.ReadResponse(answers, nil)
		if err == nil {
			err = res.Write(proxy)
		}
		if err == nil {
			res, err = http.ReadResponse(answers, nil)
		}
		if err == nil && res.StatusCode != http.StatusAccepted {
			err = fmt.Errorf("the lost answer was %s", res.Status)
		}
		proxy.Close()
		done <- err
	}()
	request := func(body string) string {
		return fmt.Sprintf("POST /api/event HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nOrigin: https://a.example\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",
			host, firefox, len(body), body)
	}
	send := func(conn io.ReadWriter, body string) {
		t.Helper()
		if _, err := io.WriteString(conn, request(body)); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusAccepted {
			t.Fatalf("%v, %v", res, err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
	}
	view := `{"n":"pageview","v":36,"u":"https://a.example/two","d":"a.example","r":null}`
	send(client, `{"n":"pageview","v":36,"u":"https://a.example/one","d":"a.example","r":null}`)
	if _, err := io.WriteString(client, request(view)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n, err := client.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Fatalf("the client got an answer: %d, %v", n, err)
	}
	again := dial()
	send(again, view)
	send(again, `{"n":"engagement","v":36,"u":"https://a.example/two","d":"a.example","sd":70,"e":1200}`)

	waitFor(t, 20*time.Second, func() error {
		got := s.mustMetrics(t, "millrace_engine_events_total")
		for outcome, want := range map[string]float64{"on_time": 2, "duplicate": 1, "ping": 1, "late": 0, "dropped": 0, "bot": 0} {
			if n := got[fmt.Sprintf(`millrace_engine_events_total{outcome=%q,partition="0"}`, outcome)]; n != want {
				return fmt.Errorf("%v %s, want %v", n, outcome, want)
			}
		}
		a, err := s.ask(map[string]any{"site_id": "a.example", "metrics": []string{"visitors", "pageviews", "events"}, "date_range": aroundNow()})
		if err == nil && (len(a.Results) != 1 || a.Results[0].Metrics[0] != 1 || a.Results[0].Metrics[1] != 2 || a.Results[0].Metrics[2] != 2) {
			err = fmt.Errorf("answer %+v", a.Results)
		}
		return err
	})
	s.mustStop(t)
}
