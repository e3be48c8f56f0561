package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// request is one that a far has got.
type request struct {
	after time.Duration // since the far began
	ids   []string
	bytes int
}

// far is a collector on the clock of a synctest bubble: it answers by a function, without a
// connection.
type far struct {
	began  time.Time
	answer func(n int, ids []string) (status int, body, retryAfter string) // nil, or status 0: 202
	hangs  atomic.Bool                                                     // until the request is cancelled

	mu       sync.Mutex // guards requests
	requests []request
}

// RoundTrip answers a request.
func (f *far) RoundTrip(r *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var events []Event
	if err := json.Unmarshal(text, &events); err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	f.mu.Lock()
	f.requests = append(f.requests, request{time.Since(f.began), ids, len(text)})
	n := len(f.requests)
	f.mu.Unlock()
	if f.hangs.Load() {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	status, body, retryAfter := 202, fmt.Sprintf(`{"accepted":%d}`, len(ids)), ""
	if f.answer != nil {
		if s, b, ra := f.answer(n, ids); s != 0 {
			status, body, retryAfter = s, b, ra
		}
	}
	h := http.Header{}
	if retryAfter != "" {
		h.Set("Retry-After", retryAfter)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// got returns the requests so far.
func (f *far) got() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// sizes returns how many events each request had.
func (f *far) sizes() []int {
	var sizes []int
	for _, r := range f.got() {
		sizes = append(sizes, len(r.ids))
	}
	return sizes
}

func (f *far) client(t *testing.T, o Options) *Client {
	t.Helper()
	f.began = time.Now()
	o.URL, o.Site, o.HTTPClient = "http://far.example", "a.example", &http.Client{Transport: f}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustTrack(t *testing.T, c *Client, n int) {
	t.Helper()
	for range n {
		if err := c.Track(Event{Name: "x"}); err != nil {
			t.Error(err)
		}
	}
}

// TestBatches: a request goes when it is full, or when its first event has waited for BatchWait.
func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{}
		c := f.client(t, Options{BatchEvents: 10, BatchWait: time.Second})
		mustTrack(t, c, 25)
		time.Sleep(400 * time.Millisecond)
		mustTrack(t, c, 1)
		synctest.Wait()
		if got := f.sizes(); !slices.Equal(got, []int{10, 10}) {
			t.Errorf("at once %v", got)
		}
		time.Sleep(700 * time.Millisecond)
		if got := f.sizes(); !slices.Equal(got, []int{10, 10, 6}) || f.got()[2].after != time.Second {
			t.Errorf("after a second %v, %v", got, f.got()[2].after)
		}
		mustTrack(t, c, 3)
		synctest.Wait()
		if err := c.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		if got := f.sizes(); !slices.Equal(got, []int{10, 10, 6, 3}) || f.got()[3].after != 1100*time.Millisecond {
			t.Errorf("flushed %v", got)
		}
		if err := errors.Join(c.Flush(t.Context()), c.Close(t.Context()), c.Close(t.Context())); err != nil {
			t.Error(err)
		}
		if got := c.Stats(); got != (Stats{Delivered: 29}) {
			t.Errorf("%+v", got)
		}
	})
	synctest.Test(t, func(t *testing.T) { // by size
		f := &far{}
		c := f.client(t, Options{BatchEvents: 1000})
		for range 30 {
			if err := c.Track(Event{Name: "x", Props: map[string]any{"text": strings.Repeat("x", 40<<10)}}); err != nil {
				t.Error(err)
			}
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if got := f.sizes(); !slices.Equal(got, []int{12, 12, 6}) || f.got()[0].bytes > mostBody {
			t.Errorf("%v, the first of %d bytes", got, f.got()[0].bytes)
		}
	})
}

// TestPauses: pauses between requests grow, are never the same, and are what Retry-After says. Flush
// ends one that the collector has not named.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{answer: func(n int, _ []string) (int, string, string) {
			switch n {
			case 10:
				return 503, "{}", "120"
			case 11:
				return 429, "{}", time.Now().Add(40 * time.Second).UTC().Format(http.TimeFormat)
			case 12:
				return 429, "{}", "86400"
			case 13:
				return 0, "", ""
			}
			return 503, `{"error":"the log can't be written to"}`, ""
		}}
		c := f.client(t, Options{BatchWait: time.Millisecond})
		mustTrack(t, c, 1)
		time.Sleep(2 * time.Hour)
		if got := c.Stats(); got != (Stats{Delivered: 1, Retries: 12}) || len(f.got()) != 13 {
			t.Fatalf("%+v, %d requests", got, len(f.got()))
		}
		most := 500 * time.Millisecond
		for n := 1; n < 13; n++ {
			least, longest := most/2, most
			switch n {
			case 10:
				least, longest = 120*time.Second, 120*time.Second+firstPause
			case 11:
				least, longest = 39*time.Second, 40*time.Second+firstPause // of HTTP, to the second
			case 12:
				least, longest = time.Hour, time.Hour+firstPause
			}
			if d := f.got()[n].after - f.got()[n-1].after; d < least || d > longest {
				t.Errorf("pause %d: %v, want %v to %v", n, d, least, longest)
			}
			if most = min(2*most, 30*time.Second); !slices.Equal(f.got()[n].ids, f.got()[0].ids) {
				t.Errorf("request %d has ids %v, the first %v", n, f.got()[n].ids, f.got()[0].ids)
			}
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		f := &far{answer: func(int, []string) (int, string, string) {
			if away.Load() {
				return 502, "", ""
			}
			return 0, "", ""
		}}
		c := f.client(t, Options{})
		mustTrack(t, c, 1)
		time.Sleep(40 * time.Second)
		synctest.Wait()
		away.Store(false)
		tried, began := len(f.got()), time.Now()
		if err := c.Flush(t.Context()); err != nil || !time.Now().Equal(began) || len(f.got()) != tried+1 {
			t.Errorf("flushed after %v by %d requests: %v", time.Since(began), len(f.got())-tried, err)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestFull: what is over MaxPendingBytes is not taken, is counted, and costs no memory; when the
// collector is back there is room again.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		f := &far{answer: func(int, []string) (int, string, string) {
			if away.Load() {
				return 503, "{}", "1"
			}
			return 0, "", ""
		}}
		c := f.client(t, Options{MaxPendingBytes: 64 << 10})
		taken := 0
		for c.Track(Event{Name: "x"}) == nil {
			taken++
		}
		if err := c.Track(Event{Name: "x"}); !errors.Is(err, ErrFull) {
			t.Error(err)
		}
		if got := c.Stats(); taken < 250 || taken > 300 || got != (Stats{Full: 2, Pending: uint64(taken)}) {
			t.Errorf("%d taken, %+v", taken, got)
		}
		time.Sleep(10 * time.Second)
		if err := c.Track(Event{Name: "x"}); !errors.Is(err, ErrFull) {
			t.Error("while they are sent:", err)
		}
		away.Store(false)
		time.Sleep(10 * time.Second)
		if got := c.Stats(); got.Delivered != uint64(taken) || got.Pending != 0 {
			t.Errorf("%+v", got)
		}
		mustTrack(t, c, taken)
		if err := c.Close(t.Context()); err != nil || c.size != 0 {
			t.Errorf("%d bytes, %v", c.size, err)
		}
	})
}

// TestClose: what is not delivered when the context of Close ends is given back, all of it, whether
// the collector refuses, says to wait, or does not answer at all.
func TestClose(t *testing.T) {
	f := func(name string, far *far) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var given []string
				c := far.client(t, Options{BatchEvents: 10, OnError: func(events []Event, err error) {
					if !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					for _, e := range events {
						given = append(given, e.ID)
					}
				}})
				var ids []string
				for i := range 25 {
					ids = append(ids, fmt.Sprint(i))
					if err := c.Track(Event{Name: "x", ID: ids[i]}); err != nil {
						t.Error(err)
					}
				}
				time.Sleep(time.Minute)
				began := time.Now()
				short, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := c.Flush(short); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				err := c.Close(ctx)
				if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "millrace client: close: 25 events were not delivered: context deadline exceeded" {
					t.Error(err)
				}
				if took := time.Since(began); took != 4*time.Second || !slices.Equal(given, ids) {
					t.Errorf("after %v given back: %v", took, given)
				}
				if again := c.Close(t.Context()); again == nil || again.Error() != err.Error() {
					t.Error(again)
				}
				if err := c.Track(Event{Name: "x"}); !errors.Is(err, ErrClosed) {
					t.Error(err)
				}
				if got := c.Stats(); got.Lost != 25 || got.Pending != 0 {
					t.Errorf("%+v", got)
				}
			})
		})
	}
	status := func(status int, retryAfter string) func(int, []string) (int, string, string) {
		return func(int, []string) (int, string, string) { return status, "{}", retryAfter }
	}
	f("503", &far{answer: status(503, "")})
	f("Retry-After", &far{answer: status(503, "100")})
	silent := &far{}
	silent.hangs.Store(true)
	f("no answer", silent)
}

// TestCloseHurries: Close does not wait out a pause of its own making.
func TestCloseHurries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		f := &far{answer: func(int, []string) (int, string, string) {
			if away.Load() {
				return 503, "{}", ""
			}
			return 0, "", ""
		}}
		c := f.client(t, Options{})
		mustTrack(t, c, 600)
		time.Sleep(time.Hour)
		away.Store(false)
		began := time.Now()
		if err := c.Close(t.Context()); err != nil || !time.Now().Equal(began) {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// TestTimeout: an answer that does not come is waited for for half a minute.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{}
		f.hangs.Store(true)
		c := f.client(t, Options{BatchWait: time.Millisecond})
		mustTrack(t, c, 1)
		time.Sleep(time.Minute)
		if n := len(f.got()); n != 2 || f.got()[1].after < requestTimeout {
			t.Errorf("%d requests", n)
		}
		f.hangs.Store(false)
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestMistake: an event at which the collector fails is found, and given up alone.
func TestMistake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const status, text = 500, `{"error":"a mistake in Millrace"}`
		f := &far{answer: func(_ int, ids []string) (int, string, string) {
			if slices.Contains(ids, "77") {
				return status, text, ""
			}
			return 0, "", ""
		}}
		var given []Event
		c := f.client(t, Options{OnError: func(events []Event, err error) {
			given = append(given, events...)
			if err.Error() != "millrace client: refused with status 500: a mistake in Millrace" {
				t.Error(err)
			}
		}})
		for i := range 100 {
			if err := c.Track(Event{Name: "x", ID: fmt.Sprint(i)}); err != nil {
				t.Error(err)
			}
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if got := c.Stats(); got.Delivered != 99 || got.Refused != 1 || len(given) != 1 || given[0].ID != "77" {
			t.Errorf("%+v, given back %v", got, given)
		}
	})
}

// TestAnswers: what a status says, and an answer that is no collector's.
func TestAnswers(t *testing.T) {
	f := func(status int, body, want string) {
		t.Helper()
		a := read(&http.Response{StatusCode: status, Header: http.Header{"Retry-After": {"7"}}}, []byte(body))
		got := "again: " + a.why()
		switch {
		case a.taken:
			got = fmt.Sprint("taken: ", a.accepted)
		case a.refusal != nil:
			got = a.refusal.Error()
		case a.retryAfter != 0:
			got += fmt.Sprint(", after ", a.retryAfter)
		}
		if got != want {
			t.Errorf("%d %s:\n%s\nwant\n%s", status, body, got, want)
		}
	}
	f(202, `{"accepted":3}`, "taken: 3")
	f(200, `{"accepted":0}`, "taken: 0")
	f(200, `<html>`, `again: status 200 without "accepted": it is no collector that answers`)
	f(204, ``, `again: status 204 without "accepted": it is no collector that answers`)
	f(302, ``, "millrace client: refused with status 302: Found")
	f(400, `{"error":"events[3].url: is missing"}`, "millrace client: refused with status 400: events[3].url: is missing")
	f(404, "<h1>\nnot\there</h1>", "millrace client: refused with status 404: Not Found <h1>nothere</h1>")
	f(404, strings.Repeat("ü", 1000), "millrace client: refused with status 404: Not Found "+strings.Repeat("ü", 95))
	f(408, ``, "again: status 408")
	f(413, `{"error":"the body is too large"}`, "millrace client: refused with status 413: the body is too large")
	f(429, ``, "again: status 429, after 7s")
	f(500, `{"error":"a mistake"}`, "millrace client: refused with status 500: a mistake")
	f(500, `<html>`, "again: status 500")
	f(503, `{"error":"the log is away"}`, "again: status 503, after 7s")
	f(504, ``, "again: status 504")
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	f := func(header string, want time.Duration) {
		t.Helper()
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
	f("", 0)
	f("0", 0)
	f("-5", 0)
	f("2", 2*time.Second)
	f("3600", time.Hour)
	f("9223372036854775807", time.Hour)
	f("92233720368547758070", 0)
	f("soon", 0)
	f("Wed, 04 Mar 2026 05:06:37 GMT", 30*time.Second)
	f("Wed, 04 Mar 2026 05:06:00 GMT", 0)
	f("Fri, 04 Mar 2126 05:06:00 GMT", time.Hour)
}

// TestRedirect: a redirect is the end of a request, and not a GET elsewhere.
func TestRedirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{answer: func(int, []string) (int, string, string) { return 302, "", "" }}
		var got error
		c := f.client(t, Options{OnError: func(_ []Event, err error) { got = err }})
		mustTrack(t, c, 1)
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if len(f.got()) != 1 || got == nil {
			t.Errorf("%d requests, %v", len(f.got()), got)
		}
	})
}

// TestNotTaken: what Track refuses itself.
func TestNotTaken(t *testing.T) {
	c, err := New(Options{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, c)
	f := func(e Event, want string) {
		t.Helper()
		if err := c.Track(e); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	f(Event{Name: "x"}, "millrace client: an event without a site, and Options have none")
	f(Event{Site: "a.example", Name: " "}, "millrace client: an event without a name")
	f(Event{Site: "a.example", Name: "x", Props: map[string]any{"f": func() {}}}, `millrace client: encode event "x": json: unsupported type: func()`)
	f(Event{Site: "a.example", Name: "x", Revenue: &Revenue{math.NaN(), "EUR"}},
		`millrace client: encode event "x": json: error calling MarshalJSON for type *client.Revenue: a revenue of NaN`)
	f(Event{Site: "a.example", Name: "x", ID: "1", Time: time.Unix(1, 0), Props: map[string]any{"text": strings.Repeat("x", 1<<20)}},
		`millrace client: event "x" has 1048664 bytes, at most 524286 are sent`)
	if got := c.Stats(); got != (Stats{}) {
		t.Errorf("%+v", got)
	}
}

func TestValidate(t *testing.T) {
	f := func(o Options, want ...string) {
		t.Helper()
		got := ""
		if _, err := New(o); err != nil {
			got = err.Error()
		}
		if want := strings.Join(want, "\n"); got != "client options: "+want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	}
	f(Options{}, "URL: is needed")
	f(Options{URL: "stats.example.com"}, `URL: "stats.example.com" is not an address such as https://stats.example.com`)
	f(Options{URL: "https://stats.example.com/?a=b"}, `URL: "https://stats.example.com/?a=b" has a query or a fragment`)
	f(Options{URL: "https://s.example", Key: "0123456789abcdef\n"}, "Key: has a character that no key has, such as a line end")
	f(Options{URL: "https://s.example", BatchEvents: 1001, BatchWait: -1, MaxPendingBytes: 1},
		"BatchEvents: 1001 is not between 1 and 1000", "BatchWait: -1ns is not between 1ms and 1h0m0s", "MaxPendingBytes: 1 is less than 65536")
}
