package influx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"millrace/engine/window"
	"millrace/internal/influxdb"
)

func TestSort(t *testing.T) {
	f := func(err error, want failure) {
		t.Helper()
		if got := sort(err); got != want {
			t.Errorf("sort(%v) = %s, want %s", err, got, want)
		}
	}
	status := func(code int, msg string) error {
		return fmt.Errorf("x: %w", &influxdb.StatusError{Code: code, Message: msg})
	}
	f(syscall.ECONNREFUSED, retryable)
	f(os.ErrDeadlineExceeded, retryable)
	f(io.ErrUnexpectedEOF, retryable)
	f(status(500, "timeout"), retryable)
	f(status(502, "<html>"), retryable)
	f(status(408, ""), retryable)
	f(status(429, ""), throttled)
	f(status(503, ""), throttled)
	f(status(413, ""), tooLarge)
	f(status(400, "partial write: field type conflict"), rejected)
	f(status(422, "schema conflict"), rejected)
	f(status(404, `database not found: "x"`), misconfigured)
	f(status(400, `database not found: "x"`), misconfigured)
	f(status(401, ""), misconfigured)
	f(status(403, ""), misconfigured)
	f(status(302, ""), misconfigured)
	f(status(405, ""), misconfigured)
}

func TestCut(t *testing.T) {
	f := func(lines string, maxLines, maxBytes int, want string) {
		t.Helper()
		if got := lines[:cut([]byte(lines), maxLines, maxBytes)]; got != want {
			t.Errorf("cut(%q, %d, %d) leaves %q, want %q", lines, maxLines, maxBytes, got, want)
		}
	}
	f("a\nb\nc\n", 2, 100, "a\nb\n")
	f("a\nb\nc\n", 9, 5, "a\nb\n")
	f("a\nb\nc\n", 9, 4, "a\nb\n")
	f("aaaaaaaa\nb\n", 9, 4, "aaaaaaaa\n")
	f("a\nb", 9, 100, "a\nb")
	f("a", 1, 1, "a")
}

func TestWriteOfEachFailure(t *testing.T) {
	f := func(name string, script ...func(*http.Request) (*http.Response, error)) {
		t.Run(name, func(t *testing.T) {
			eachDB(t, func(t *testing.T, b *bench) {
				// The first request reads versions, the others write.
				tr := &faults{script: append([]func(*http.Request) (*http.Response, error){nil}, script...)}
				s, dead := mustSink(t, b, func(o *Options) { o.Transport = tr })
				if err := s.Write(t.Context(), []*window.Window{win("a.example", 60000, 7, "/x=3 /y=2")}); err != nil {
					t.Fatal(err)
				}
				b.want(t, "a.example", "60 page/x=3 v7", "60 page/y=2 v7", "60 totals=5 v7")
				if n := s.Stats().Retries; n < int64(len(script)) {
					t.Errorf("%d retries, want at least %d", n, len(script))
				}
				if dead.len() != 0 {
					t.Errorf("dead letters: %v", dead.list)
				}
			})
		})
	}
	refused := func(*http.Request) (*http.Response, error) { return nil, syscall.ECONNREFUSED }
	f("refused connections", refused, refused, refused)
	f("server errors", answer(500, `{"error":"timeout"}`), answer(502, "<html>"), answer(504, ""))
	f("a time-out after it applied", afterwards(os.ErrDeadlineExceeded), afterwards(io.ErrUnexpectedEOF))
	f("not let in", answer(401, `{"error":"authorization failed"}`), answer(403, ""), answer(404, "no such page"))
	f("overloaded", answer(503, ""), answer(429, ""))
}

func TestReadFailuresHoldToo(t *testing.T) {
	eachDB(t, func(t *testing.T, b *bench) {
		tr := &faults{script: []func(*http.Request) (*http.Response, error){
			answer(500, ""), answer(403, ""), answer(400, `{"error":"what?"}`), answer(200, `{"results":[{"error":"max-select-series"}]}`), answer(200, `{"resu`),
		}}
		s, _ := mustSink(t, b, func(o *Options) { o.Transport = tr })
		if err := s.Write(t.Context(), []*window.Window{win("a.example", 60000, 7, "/x=3")}); err != nil {
			t.Fatal(err)
		}
		b.want(t, "a.example", "60 page/x=3 v7", "60 totals=3 v7")
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ok := answer(204, "")
		empty := answer(200, `{"results":[{}]}`)
		script := []func(*http.Request) (*http.Response, error){empty, answer(503, "", "Retry-After", "40"), answer(429, "", "Retry-After", "864000"), ok}
		b := &bench{cfg: influxdb.Config{DB: "db"}}
		b.cfg.Base.Scheme, b.cfg.Base.Host = "http", "influx.invalid"
		s, _ := mustSink(t, b, func(o *Options) { o.Transport = &faults{script: script} })
		start := time.Now()
		if err := s.Write(t.Context(), []*window.Window{win("a.example", 60000, 7, "/x=3")}); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 40*time.Second+maxRetryAfter {
			t.Errorf("it took %s", d)
		}
	})
}

func TestBackoffGrowsAndCanBeEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := &faults{always: answer(500, "")}
		b := &bench{cfg: influxdb.Config{DB: "db"}}
		b.cfg.Base.Scheme, b.cfg.Base.Host = "http", "influx.invalid"
		s, _ := mustSink(t, b, func(o *Options) { o.Transport, o.MinBackoff, o.MaxBackoff = tr, 100*time.Millisecond, 20*time.Second })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		err := s.Write(ctx, []*window.Window{win("a.example", 60000, 7, "/x=3")})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("err is %v", err)
		}
		// Eight tries until the pause is 20 s, of which half is random: then 30 to 60 in ten
		// minutes.
		if tr.seen < 35 || tr.seen > 70 {
			t.Errorf("%d requests in 10 min", tr.seen)
		}
	})
}

// A bad point among many is found, and costs nobody else anything.
func TestRejectedPointsAreIsolated(t *testing.T) {
	b := newFake(t)
	b.fake.refuse = "/bad"
	s, dead := mustSink(t, b, nil)
	var pages strings.Builder
	for i := range 1000 {
		name := "/p"
		if i == 0 || i == 500 || i == 999 {
			name = "/bad"
		}
		fmt.Fprintf(&pages, "%s%d=1 ", name, i)
	}
	if err := s.Write(t.Context(), []*window.Window{win("a.example", 60000, 7, pages.String())}); err != nil {
		t.Fatal(err)
	}
	if n := len(b.fake.points); n != 998 {
		t.Errorf("%d points are written, want 998", n)
	}
	if dead.len() != 3 || b.fake.posts > 3*2*11 {
		t.Errorf("%d letters, %d requests", dead.len(), b.fake.posts)
	}
	for _, l := range dead.list {
		if !strings.HasPrefix(string(l.Value), "page,page=/bad") || !strings.Contains(l.Reason, "field type conflict") || l.Offset != NoOffset {
			t.Errorf("letter %+v %s", l, l.Value)
		}
	}
}

// The real server's own refusals.
func TestRealRefusals(t *testing.T) {
	b := realDB(t)
	c := influxdb.NewClient(b.cfg, 5*time.Second, nil)
	if err := c.CreateDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	// events was text once in this shard: a whole number is of the wrong type then, in one
	// measurement.
	if err := c.Write(t.Context(), []byte("page,page=/old,site=a.example events=\"many\" 60\n"), ""); err != nil {
		t.Fatal(err)
	}
	s, dead := mustSink(t, b, nil)
	if err := s.Write(t.Context(), []*window.Window{win("a.example", 60000, 7, "/x=3 /y=4")}); err != nil {
		t.Fatal(err)
	}
	if dead.len() != 2 || !strings.Contains(dead.list[0].Reason, "field type conflict") {
		t.Errorf("letters %+v", dead.list)
	}
	b.want(t, "a.example", "60 totals=7 v7")
}

func TestTooLargeIsSplit(t *testing.T) {
	b := newFake(t)
	b.fake.maxLines = 3
	s, dead := mustSink(t, b, nil)
	if err := s.Write(t.Context(), []*window.Window{win("a.example", 60000, 7, "/a=1 /b=1 /c=1 /d=1 /e=1 /f=1 /g=1")}); err != nil {
		t.Fatal(err)
	}
	if len(b.fake.points) != 8 || dead.len() != 0 {
		t.Errorf("%d points, %d letters", len(b.fake.points), dead.len())
	}
}

func TestRequestsAreBounded(t *testing.T) {
	b := newFake(t)
	s, _ := mustSink(t, b, func(o *Options) { o.MaxLines = 10; o.MaxBytes = 2000 })
	var ws []*window.Window
	for i := range 20 {
		ws = append(ws, win(fmt.Sprintf("s%d.example", i), 60000, 7, "/a=1 /b=1 /c=1 /d=1 /e=1 /f=1 /g=1"))
	}
	b.fake.maxLines = 10
	if err := s.Write(t.Context(), ws); err != nil {
		t.Fatal(err)
	}
	if len(b.fake.points) != 160 || s.Stats().Retries != 0 || s.Stats().Points != 160 {
		t.Errorf("%d points, %+v", len(b.fake.points), s.Stats())
	}
}

func TestDeadLetterThatFailsStopsTheWrite(t *testing.T) {
	b := newFake(t)
	b.fake.refuse = "/bad"
	s, dead := mustSink(t, b, nil)
	broken := errors.New("Kafka is gone")
	good := s.opts.Dead
	s.opts.Dead = func(ctx context.Context, l letter) error { return broken }
	w := []*window.Window{win("a.example", 60000, 7, "/bad=1 /x=1")}
	if err := s.Write(t.Context(), w); !errors.Is(err, broken) {
		t.Errorf("err is %v", err)
	}
	s.opts.Dead = good
	if err := s.Write(t.Context(), w); err != nil || dead.len() != 1 {
		t.Errorf("second try: %v, %d letters", err, dead.len())
	}
}

// J10: an older version never follows a newer one, within a call, between calls, and after a
// restart.
func TestVersions(t *testing.T) {
	eachDB(t, func(t *testing.T, b *bench) {
		s, _ := mustSink(t, b, nil)
		write := func(ws ...*window.Window) {
			t.Helper()
			if err := s.Write(t.Context(), ws); err != nil {
				t.Fatal(err)
			}
		}
		w := func(version int64, pages string) *window.Window { return win("a.example", 60000, version, pages) }
		write(w(5, "/x=1"), w(7, "/x=3"), w(6, "/x=2"))
		b.want(t, "a.example", "60 page/x=3 v7", "60 totals=3 v7")
		write(w(6, "/x=2"))
		b.want(t, "a.example", "60 page/x=3 v7", "60 totals=3 v7")
		write(w(7, "/x=4"))
		b.want(t, "a.example", "60 page/x=4 v7", "60 totals=4 v7")

		restarts := map[string]func(){
			"a new process":    func() { s, _ = mustSink(t, b, nil) },
			"a new session":    func() { s.Rebalanced(t.Context()) },
			"only forgetting":  func() { s.known.forget(moment{start: 60000}) },
			"a stale memory":   func() { s.known.moments[moment{start: 60000}].read = time.Now().Add(-2 * versionsFresh) },
			"another's memory": func() { s, _ = mustSink(t, b, nil); write(win("b.example", 60000, 1, "/x=1")) },
		}
		for _, name := range sortedKeys(restarts) {
			restarts[name]()
			write(w(6, "/x=2"))
			if got := b.dump(t, "a.example"); got != "60 page/x=4 v7\n60 totals=4 v7" {
				t.Errorf("after %s an older version was written:\n%s", name, got)
			}
		}
		if n := s.Stats().Older; n != 2 { // since the last new process
			t.Errorf("%d older windows counted, want 2", n)
		}
		// Shards and minutes are windows of their own.
		sharded := w(1, "/x=9")
		sharded.Shard = 2
		write(sharded, win("a.example", 120000, 2, "/x=8"))
		b.want(t, "a.example", "120 page/x=8 v2", "120 totals=8 v2", "60 page/x=4 v7", "60 totals=4 v7", "60#2 page/x=9 v1", "60#2 totals=9 v1")
	})
}

// A write that was cut off is still the newest that was tried: what is older may not follow.
func TestVersionOfAnUnfinishedWriteCounts(t *testing.T) {
	b := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	tr := &faults{script: []func(*http.Request) (*http.Response, error){nil, func(r *http.Request) (*http.Response, error) {
		cancel()
		return nil, context.Canceled
	}}}
	s, _ := mustSink(t, b, func(o *Options) { o.Transport = tr })
	if err := s.Write(ctx, []*window.Window{win("a.example", 60000, 7, "/x=3")}); !errors.Is(err, context.Canceled) {
		t.Fatalf("err is %v", err)
	}
	if err := s.Write(t.Context(), []*window.Window{win("a.example", 60000, 6, "/x=2")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), []*window.Window{win("a.example", 60000, 7, "/x=3")}); err != nil {
		t.Fatal(err)
	}
	for _, p := range b.fake.log {
		if p.fields["version"] != int64(7) {
			t.Errorf("written: %+v", p)
		}
	}
}

func TestReplace(t *testing.T) {
	eachDB(t, func(t *testing.T, b *bench) {
		s, _ := mustSink(t, b, nil)
		do := func(fn func(context.Context, []*window.Window) error, ws ...*window.Window) {
			t.Helper()
			if err := fn(t.Context(), ws); err != nil {
				t.Fatal(err)
			}
		}
		do(s.Replace, win("new.example", 60000, 99, "/x=1"))
		b.want(t, "new.example", "60 page/x=1 v-1", "60 totals=1 v-1")
		do(s.Write, win("new.example", 60000, 0, "/x=2"))
		b.want(t, "new.example", "60 page/x=2 v0", "60 totals=2 v0")

		do(s.Write, win("a.example", 60000, 7, "/x=3 /gone=1"), win("a.example", 120000, 8, "/x=1"))
		do(s.Replace, win("a.example", 60000, 0, "/x=2 /extra=1"), win("a.example", 120000, 0, ""), win("a.example", 180000, 0, ""))
		b.want(t, "a.example",
			"60 page/x=2 v7", "60 page/gone=0 v7", "60 page/extra=1 v7", "60 totals=3 v7",
			"120 page/x=0 v8", "120 totals=0 v8")
		do(s.Write, win("a.example", 60000, 6, "/x=9"))
		b.want(t, "a.example",
			"60 page/x=2 v7", "60 page/gone=0 v7", "60 page/extra=1 v7", "60 totals=3 v7",
			"120 page/x=0 v8", "120 totals=0 v8")

		// The firing that was replaced, delivered again, does not undo it.
		do(s.Write, win("a.example", 60000, 7, "/x=3 /gone=1"))
		b.want(t, "a.example",
			"60 page/x=2 v7", "60 page/gone=0 v7", "60 page/extra=1 v7", "60 totals=3 v7",
			"120 page/x=0 v8", "120 totals=0 v8")

		// The next firing wins, and takes away what only the replay had: in this process and in
		// another.
		other, _ := mustSink(t, b, nil)
		do(other.Write, win("a.example", 60000, 9, "/x=5"))
		want := []string{"60 page/x=5 v9", "60 page/gone=0 v7", "60 page/extra=0 v9", "60 totals=5 v9", "120 page/x=0 v8", "120 totals=0 v8"}
		b.want(t, "a.example", want...)
		do(other.Replace, win("a.example", 60000, 0, "/y=1"))
		do(other.Write, win("a.example", 60000, 10, "/x=6"))
		b.want(t, "a.example", "60 page/x=6 v10", "60 page/y=0 v10", "60 page/gone=0 v7", "60 page/extra=0 v9", "60 totals=6 v10",
			"120 page/x=0 v8", "120 totals=0 v8")
	})
}

func TestProgressComesLast(t *testing.T) {
	b := newFake(t)
	s, _ := mustSink(t, b, nil)
	err := s.WriteProgress(t.Context(), []window.Progress{{Partition: 1, Low: 60000, Offset: 5}, {Partition: 2, Low: 61000, Offset: 5}, {Partition: 1, Low: 120000, Offset: 9}, {Partition: 1, Low: 90000, Offset: 8}})
	if err != nil {
		t.Fatal(err)
	}
	if len(b.fake.log) != 2 || b.fake.log[0].fields["low"] != int64(120000) || b.fake.log[1].fields["low"] != int64(61000) {
		t.Errorf("written: %+v", b.fake.log)
	}
}

func TestMissingDatabaseIsCreated(t *testing.T) {
	b := realDB(t)
	tr := &faults{}
	s, _ := mustSink(t, b, func(o *Options) { o.Transport = tr })
	if err := s.Write(t.Context(), []*window.Window{win("a.example", 60000, 7, "/x=3")}); err != nil {
		t.Fatal(err)
	}
	b.want(t, "a.example", "60 page/x=3 v7", "60 totals=3 v7")
}

func TestBadWindowsAreRefused(t *testing.T) {
	s, _ := mustSink(t, newFake(t), nil)
	for _, w := range []*window.Window{win("a.example", 60001, 1, "/x=1"), win("a.example", -60000, 1, "/x=1"), win("a.example", 1<<60/60000*60000, 1, ""), {Kind: window.Hour, Site: "a.example", Start: 60000}, {Kind: window.NumKinds, Site: "a.example"}, win("a b", 60000, 1, "/x=1")} {
		if err := s.Write(t.Context(), []*window.Window{w}); !errors.Is(err, ErrWindow) {
			t.Errorf("%+v: %v", w, err)
		}
	}
}

func TestVersionsAreForgottenByMoments(t *testing.T) {
	t.Parallel()
	v := newVersions()
	for i := range eventTime(12) { // a half more than there is room for
		kind := window.Kind(i % 3)
		at := moment{kind, i * kind.Length()}
		read := map[windowKey]known{}
		for n := range maxKnown / 8 / windowCost {
			read[windowKey{stream{site: fmt.Sprint(n)}, at}] = known{version: 1}
		}
		v.stale([]moment{at})
		v.learned(span{kind, at.start, at.start + kind.Length()}, read)
		if v.bytes > maxKnown {
			t.Fatalf("%d bytes remembered", v.bytes)
		}
		if v.moments[at] == nil {
			t.Fatal("the moment in use was forgotten")
		}
	}
	for at := range v.moments {
		v.forget(at)
	}
	if v.bytes != 0 {
		t.Errorf("%d bytes left of nothing", v.bytes)
	}
}

func TestSpans(t *testing.T) {
	f := func(in []eventTime, want string) {
		t.Helper()
		var list []moment
		for _, kind := range []window.Kind{window.Minute, window.Visits} {
			for _, m := range in {
				list = append(list, moment{kind, m * kind.Length()})
			}
		}
		if want != "" {
			want += " " + want
		}
		var out strings.Builder
		last := window.Minute
		for _, s := range spans(list) {
			if s.kind != last {
				out.WriteByte(' ')
				last = s.kind
			}
			fmt.Fprintf(&out, "[%d,%d)", s.from/s.kind.Length(), s.to/s.kind.Length())
		}
		if out.String() != want {
			t.Errorf("spans(%v) = %s, want %s", in, out.String(), want)
		}
	}
	f(nil, "")
	f([]eventTime{3}, "[3,4)")
	f([]eventTime{3, 4, 8, 15, 21, 28}, "[3,9)[15,22)[28,29)")
}

// What was decoded can be written.
func FuzzDecodedWindowsEncode(f *testing.F) {
	lines, err := win("a.example", 60000, 7, "/x=3 /y=2").AppendLines(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(lines)
	f.Add([]byte("page,page=/a\\ b\\,c\\=,site=x.example events=1i 60\n"))
	f.Add([]byte("page,page=/a\\\\,site=x.example events=1i 60\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := window.Decode(b)
		if err != nil || rec.Window == nil || checkWindow(rec.Window) != nil {
			return
		}
		out, err := rec.Window.AppendLines(nil)
		if err != nil {
			t.Fatalf("decoded %q, can't be encoded: %v", b, err)
		}
		if n := countLines(out); n != len(rec.Window.Points) {
			t.Fatalf("%d points make %d lines: %q", len(rec.Window.Points), n, out)
		}
	})
}

// A replay in another process, of a minute that this one remembers.
func TestReplaceByAnother(t *testing.T) {
	eachDB(t, func(t *testing.T, b *bench) {
		s, _ := mustSink(t, b, nil)
		other, _ := mustSink(t, b, nil)
		if err := s.Write(t.Context(), []*window.Window{win("a.example", 60000, 7, "/x=3")}); err != nil {
			t.Fatal(err)
		}
		if err := other.Replace(t.Context(), []*window.Window{win("a.example", 60000, 0, "/x=3 /extra=1")}); err != nil {
			t.Fatal(err)
		}
		s.known.moments[moment{start: 60000}].read = time.Now().Add(-2 * versionsFresh)
		if err := s.Write(t.Context(), []*window.Window{win("a.example", 60000, 9, "/x=5")}); err != nil {
			t.Fatal(err)
		}
		b.want(t, "a.example", "60 page/x=5 v9", "60 page/extra=0 v9", "60 totals=5 v9")
	})
}

// A live stream costs one query a minute, and none per window.
func TestQueriesOfALiveStream(t *testing.T) {
	b := newFake(t)
	tr := &faults{}
	s, _ := mustSink(t, b, func(o *Options) { o.Transport = tr })
	for v := range int64(10) {
		if err := s.Write(t.Context(), []*window.Window{win("a.example", 60000, v, fmt.Sprintf("/x=3 /y%d=1", v)), win("b.example", 60000, v, "/x=1")}); err != nil {
			t.Fatal(err)
		}
	}
	lost := 9 // each version of a.example has lost /y of the one before
	if tr.seen != 1+10+lost {
		t.Errorf("%d requests", tr.seen)
	}
	tr.seen = 0
	for v := int64(10); v < 20; v++ {
		if err := s.Write(t.Context(), []*window.Window{win("b.example", 60000, v, fmt.Sprintf("/x=%d", v))}); err != nil {
			t.Fatal(err)
		}
	}
	if tr.seen != 10 {
		t.Errorf("%d requests for 10 writes", tr.seen)
	}
	b.want(t, "a.example", append([]string{"60 page/x=3 v9", "60 page/y9=1 v9", "60 totals=4 v9"},
		"60 page/y0=0 v1", "60 page/y1=0 v2", "60 page/y2=0 v3", "60 page/y3=0 v4", "60 page/y4=0 v5",
		"60 page/y5=0 v6", "60 page/y6=0 v7", "60 page/y7=0 v8", "60 page/y8=0 v9")...)
}

// A firing too large for a record comes in parts; killed at any request, it is whole after it has
// come again.
func TestPartsAndCrashes(t *testing.T) {
	part := func(version int64, pages string, totals int64) *window.Window {
		w := win("a.example", 60000, version, pages)
		w.Points = w.Points[:len(w.Points)-1] // without totals
		if totals > 0 {
			w.Points = append(w.Points, window.Point{Family: window.Totals, Rollup: window.Rollup{Events: totals}})
		}
		return w
	}
	log := []*window.Window{part(5, "/a=1 /b=1 /c=1 /d=1", 4), part(6, "/a=2 /b=2", 9), part(6, "/c=5", 0), part(5, "/d=9", 0), part(6, "/a=2 /b=2", 9)}
	for crash := range 25 {
		b := newFake(t)
		left := crash // requests until the process dies
		tr := &faults{always: func(r *http.Request) (*http.Response, error) {
			if left--; left < 0 {
				return nil, syscall.ECONNREFUSED
			}
			return http.DefaultTransport.RoundTrip(r)
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		s, _ := mustSink(t, b, func(o *Options) { o.Transport, o.MaxLines = tr, 1 })
		done := 0
		for done < len(log) && s.Write(ctx, log[done:done+1]) == nil {
			done++
		}
		cancel()
		s, _ = mustSink(t, b, nil)
		for _, w := range log[done:] {
			if err := s.Write(t.Context(), []*window.Window{w}); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := b.dump(t, "a.example"), "60 page/a=2 v6\n60 page/b=2 v6\n60 page/c=5 v6\n60 page/d=0 v6\n60 totals=9 v6"; got != want {
			t.Errorf("killed before request %d:\n%s", crash, got)
		}
	}
	// All at once, in one call.
	b := newFake(t)
	s, _ := mustSink(t, b, nil)
	if err := s.Write(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	b.want(t, "a.example", "60 page/a=2 v6", "60 page/b=2 v6", "60 page/c=5 v6", "60 totals=9 v6")
}
