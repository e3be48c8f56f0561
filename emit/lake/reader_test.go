package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"

	"millrace/emit/lake/seal"
	"millrace/engine/event"
)

// mustLake archives a small log and returns its lake.
func mustLake(tb testing.TB) (*Reader, []record, int64) {
	tb.Helper()
	store := newMemory()
	log := newGenerator(20).log(200, 12*event.Minute)
	a := mustArchiver(tb, smallOptions(store))
	if err := feed(session(tb), a, log, 0); err != nil {
		tb.Fatal(err)
	}
	return NewReader(store), log, a.Limit(testTopic, 0)
}

// A reader that shares no code with ours, parquet-go's own by rows, sees the same rows in every
// column.
func TestOtherReader(t *testing.T) {
	t.Parallel()
	l, log, end := mustLake(t)
	want := map[place]event.Event{}
	for offset, r := range log[:end] {
		for i, e := range r.events {
			want[place{int64(offset), int32(i)}] = e
		}
	}
	hours, err := l.Hours(context.Background(), firstHour, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, h := range hours {
		for _, key := range h.Keys {
			body, err := l.store.Get(context.Background(), key.String())
			if err != nil {
				t.Fatal(err)
			}
			r := pq.NewGenericReader[any](bytes.NewReader(body))
			prev := ""
			for rows := make([]any, 10); ; {
				n, err := r.Read(rows)
				for _, row := range rows[:n] {
					m := row.(map[string]any)
					e := want[place{m["source_offset"].(int64), m["source_index"].(int32)}]
					if got := describe(m); got != describeWant(key, &e) {
						t.Fatalf("%s:\n got %s\nwant %s", key, got, describeWant(key, &e))
					}
					order := fmt.Sprintf("%s %d", e.Site, e.Time)
					if order < prev {
						t.Fatalf("%s: %s after %s", key, order, prev)
					}
					prev = order
					seen++
				}
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			r.Close()
		}
	}
	if seen != len(want) || seen < 500 {
		t.Errorf("saw %d rows, want %d", seen, len(want))
	}
}

var described = []string{"id", "site", "name", "ts", "received", "visitor", "visitor_prev", "url", "hostname", "path", "referrer", "ua",
	"language", "screen", "country", "region", "city", "props", "revenue_amount", "revenue_currency", "non_interactive",
	"ping", "engaged_ms", "scroll_depth", "hash_route", "client", "bot",
	"source_topic", "source_partition"}

func describe(m map[string]any) string {
	var s strings.Builder
	for _, name := range described {
		v := m[name]
		if b, ok := v.([]byte); ok {
			v = string(b)
		}
		if name == "revenue_amount" && v != nil { // a decimal number, of its own form
			v = int64(must(event.ParseMoney(fmt.Sprint(v))))
		}
		fmt.Fprintf(&s, "%s=%v ", name, v)
	}
	return s.String()
}

func describeWant(key Key, e *event.Event) string {
	null := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	visitor := func(v event.Visitor) any {
		if v == 0 {
			return nil
		}
		return v.String()
	}
	m := map[string]any{"id": e.ID, "site": e.Site, "name": e.Name, "ts": int64(e.Time), "received": int64(e.Received),
		"visitor": visitor(e.Visitor), "visitor_prev": visitor(e.VisitorPrev), "url": e.URL,
		"hostname": "www." + e.Site, "path": e.URL[strings.Index(e.URL, "/blog"):strings.Index(e.URL, "?")],
		"referrer": e.Referrer, "ua": e.UA, "language": e.Language, "screen": e.Screen, "country": e.Country,
		"region": e.Region, "city": e.City, "props": nil, "revenue_amount": nil, "revenue_currency": null(e.Currency),
		"non_interactive": e.NonInteractive, "ping": e.Ping, "engaged_ms": nil, "scroll_depth": nil, "hash_route": e.HashRoute, "client": e.Client, "bot": e.Bot, "source_topic": key.Topic, "source_partition": key.Partition}
	m["revenue_currency"] = e.Currency
	if e.Engaged != 0 {
		m["engaged_ms"] = int64(e.Engaged)
	}
	if n, ok := e.Scroll.Value(); ok {
		m["scroll_depth"] = n
	}
	if e.Currency != "" {
		m["revenue_amount"] = e.Amount
	}
	if len(e.Props) > 0 {
		m["props"] = string(event.AppendProps(nil, e.Props))
	}
	return describe(m)
}

func TestHours(t *testing.T) {
	t.Parallel()
	l, _, _ := mustLake(t)
	ctx := context.Background()
	all, err := l.Hours(ctx, firstHour, math.MaxInt64)
	if err != nil || len(all) != 3 {
		t.Fatalf("%d hours, %v; want 3", len(all), err)
	}
	f := func(from, to event.Time, want ...int) {
		t.Helper()
		hours, err := l.Hours(ctx, from, to)
		if err != nil || len(hours) != len(want) {
			t.Fatalf("[%s, %s): %d hours, %v; want %d", from, to, len(hours), err, len(want))
		}
		for i, w := range want {
			if hours[i].Start != all[w].Start || len(hours[i].Keys) != len(all[w].Keys) || hours[i].Bytes == 0 {
				t.Errorf("[%s, %s): hour %s, want %s", from, to, hours[i].Start, all[w].Start)
			}
		}
	}
	start := all[1].Start
	f(start, start+event.Hour, 1)
	f(start+1, start+2, 1)
	f(start-1, start, 0)
	f(start-1, start+1, 0, 1)
	f(start, start)
	f(math.MinInt64, math.MaxInt64, 0, 1, 2)
	f(all[2].Start+event.Hour, math.MaxInt64)
}

// Events of absurd times are filed somewhere, and read back as they were.
func TestAbsurdTimes(t *testing.T) {
	t.Parallel()
	store := newMemory()
	m := NewImporter(store, "import-000000000000")
	times := []event.Time{math.MinInt64, firstHour - 1, firstHour, -1, 1, lastHour, lastHour + event.Hour, math.MaxInt64}
	for i, at := range times {
		e := event.Event{Site: "a", Name: "x", Time: at, Received: at}
		if err := m.Add(context.Background(), &e, int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	mustCheck(t, store)
	got := readAll(t, store, "")
	if len(got) != len(times) {
		t.Fatalf("%d rows, want %d", len(got), len(times))
	}
	for i, at := range times {
		if got[i].Time != at {
			t.Errorf("row %d: %d, want %d", i, got[i].Time, at)
		}
	}
}

func TestReadHourStops(t *testing.T) {
	t.Parallel()
	l, _, _ := mustLake(t)
	want, n := errors.New("enough"), 0
	err := l.ReadHour(context.Background(), t0.Floor(event.Hour), "", func(*event.Event, Source) error {
		n++
		if n == 3 {
			return want
		}
		return nil
	})
	if err != want || n != 3 {
		t.Errorf("%v after %d", err, n)
	}
	if err := l.ReadHour(context.Background(), t0+1, "", nil); err == nil {
		t.Error("not the start of an hour: no error")
	}
}

// Objects that overlap, as they can after somebody has deleted progress: each place once, in order;
// and Check says so.
func TestOverlap(t *testing.T) {
	t.Parallel()
	l, log, end := mustLake(t)
	ctx := context.Background()
	store := l.store
	for _, key := range must(listProgress(ctx, store, "")) {
		if err := store.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
	}
	a := mustArchiver(t, smallOptions(store))
	if err := feed(session(t), a, log, 13); err != nil {
		t.Fatal(err)
	}
	sameRows(t, readAll(t, store, ""), wantRows(log, 0, "", max(end, a.Limit(testTopic, 0))))
	r, err := l.Check(ctx)
	if err != nil || !errors.Is(r.Err(), ErrCheck) || !strings.Contains(r.Err().Error(), "overlaps") {
		t.Errorf("Check: %v, %v", r.Err(), err)
	}
}

// Whatever is taken away from or added to a lake, Check finds it.
func TestCheckFinds(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	f := func(name string, change func(l *Reader, keys []string)) {
		t.Helper()
		l, _, _ := mustLake(t)
		var keys []string
		for key := range contents(t, l.store) {
			if isObject(key) {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		change(l, keys)
		r, err := l.Check(ctx)
		if err != nil || r.Err() == nil {
			t.Errorf("%s: found nothing, %v", name, err)
		}
	}
	put := func(l *Reader, key string, body []byte) {
		if err := l.store.Put(ctx, key, body); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 6 {
		f(fmt.Sprint("object ", i, " missing"), func(l *Reader, keys []string) {
			if err := l.store.Delete(ctx, keys[i*len(keys)/6]); err != nil {
				t.Fatal(err)
			}
		})
	}
	f("segment missing", func(l *Reader, keys []string) {
		first := must(ParseKey(keys[1])).First
		for _, key := range keys {
			if must(ParseKey(key)).First == first {
				if err := l.store.Delete(ctx, key); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	f("wrong hour", func(l *Reader, keys []string) {
		k := must(ParseKey(keys[0]))
		k.Hour += 48 * event.Hour
		put(l, k.String(), must(l.store.Get(ctx, keys[0])))
	})
	f("wrong partition", func(l *Reader, keys []string) {
		k := must(ParseKey(keys[0]))
		k.Partition = 1
		put(l, k.String(), must(l.store.Get(ctx, keys[0])))
		p := Progress{Version: progressVersion, Topic: testTopic, Partition: 1, NextOffset: 1000}
		put(l, p.key(), must(p.encode()))
	})
	f("truncated", func(l *Reader, keys []string) {
		body := must(l.store.Get(ctx, keys[0]))
		put(l, keys[0], body[:len(body)-100])
	})
	f("older progress", func(l *Reader, _ []string) {
		all := must(l.Progress(ctx))
		all[0].Rows--
		if err := mustArchiver(t, smallOptions(l.store)).partition(0).store(ctx, &all[0]); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCompleteUntil(t *testing.T) {
	t.Parallel()
	store := newMemory()
	ctx := context.Background()
	p := mustArchiver(t, testOptions(store)).partition(0)
	l := NewReader(store)
	add := func(topic string, partition int32, low event.Time) {
		t.Helper()
		x := Progress{Version: progressVersion, Topic: topic, Partition: partition, Partitions: 2, NextOffset: 10, Low: low}
		if err := p.store(ctx, &x); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.CompleteUntil(ctx, testTopic); !errors.Is(err, ErrIncomplete) {
		t.Errorf("nothing: %v", err)
	}
	add(testTopic, 0, 500)
	add("other-7", 1, 3)
	if _, err := l.CompleteUntil(ctx, testTopic); !errors.Is(err, ErrIncomplete) {
		t.Errorf("one of two partitions: %v", err)
	}
	add(testTopic, 1, 400)
	if until, err := l.CompleteUntil(ctx, testTopic); err != nil || until != 400 {
		t.Errorf("%d, %v; want 400", until, err)
	}
}

// mustObject returns one object of a lake.
func mustObject(tb testing.TB) (*Reader, Key, []byte) {
	tb.Helper()
	l, _, _ := mustLake(tb)
	for key := range contents(tb, l.store) {
		if k, err := ParseKey(key); err == nil && k.Hour == t0.Floor(event.Hour) && k.First == 0 {
			return l, k, must(l.store.Get(context.Background(), key))
		}
	}
	tb.Fatal("no object")
	return nil, Key{}, nil
}

// A truncated object is an error that names it, wherever it is cut off.
func TestTruncated(t *testing.T) {
	t.Parallel()
	l, key, body := mustObject(t)
	ctx := context.Background()
	for n := 0; n < len(body); n += 1 + len(body)/300 {
		if err := l.store.Put(ctx, key.String(), body[:n]); err != nil {
			t.Fatal(err)
		}
		_, err := l.readObject(ctx, key, "")
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), key.String()) || !strings.Contains(err.Error(), "move it out") {
			t.Fatalf("cut off at %d of %d: %v", n, len(body), err)
		}
	}
}

// A file from before the column non_interactive: made by the build of that time from these two
// events.
func TestFileWithoutLaterColumns(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/before-non-interactive.parquet")
	if err != nil {
		t.Fatal(err)
	}
	o, err := openObject(body)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := o.rows("")
	if err != nil {
		t.Fatal(err)
	}
	at := must(parseHour("2026-11-23", "10"))
	want := []stored{
		{offset: 7, index: 0, Event: event.Event{ID: "1", Site: "a.example", Name: "pageview", Time: at + 1, Received: at + 2, Visitor: 3, VisitorPrev: 4,
			URL: "https://a.example/x?y", Referrer: "https://b.example/", UA: "ua", Language: "de", Screen: "1x2", Country: "AT", Region: "AT-9", City: "2761369",
			Props: []event.Prop{{Key: "k", Value: "v"}}, Amount: 5, Currency: "EUR", Client: "v1"}},
		{offset: 7, index: 1, Event: event.Event{Site: "b.example", Name: "engagement", Time: at + 3, Received: at + 3, Client: "plausible", Bot: "x"}},
	}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("got  %+v\nwant %+v", rows, want)
	}
}

// TestEveryFieldComesBack: what an event has is in the lake, or a replay would count something
// else.
func TestEveryFieldComesBack(t *testing.T) {
	t.Parallel()
	full := event.Event{Props: []event.Prop{{Key: "k", Value: "v"}}}
	v := reflect.ValueOf(&full).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(fmt.Sprint("value ", i))
		case reflect.Int64:
			f.SetInt(int64(1000 + i))
		case reflect.Uint64:
			f.SetUint(uint64(2000 + i))
		case reflect.Uint8: // Scroll
			f.SetUint(uint64(1 + i))
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Slice: // Props
		default:
			t.Fatalf("the test can't set %s", v.Type().Field(i).Name)
		}
	}
	bare := event.Event{Site: full.Site, Name: "x", Time: full.Time, Received: full.Time}
	b := newBuffer()
	for i := range 21 { // so that values lie within bytes of bits
		e := full
		if i%3 != 1 {
			e = bare
		}
		b.add(&e, 5, int32(i))
	}
	err := b.objects(testTopic, 0, segment{First: 5, Next: 6, Rows: 21}, nil, nil, func(_ Key, body []byte) error {
		o, err := openObject(body)
		if err != nil {
			return err
		}
		for lo := range 21 {
			rows := make([]stored, 21-lo)
			if err := o.fill(o.file.RowGroups()[0], int64(lo), rows, map[string][]event.Prop{}); err != nil {
				return err
			}
			for i, r := range rows {
				want := stored{Event: bare, offset: 5, index: int32(lo + i)}
				if (lo+i)%3 == 1 {
					want.Event = full
				}
				if !reflect.DeepEqual(r, want) {
					t.Fatalf("from row %d, row %d:\n got %+v\nwant %+v", lo, i, r, want)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// FuzzObject damages a byte anywhere, or reads any bytes at all, as they are and sealed: an error
// or rows, never a panic; and damage is always an error.
func FuzzObject(f *testing.F) {
	_, _, body := mustObject(f)
	f.Add([]byte{}, 0, byte(0))
	f.Add([]byte("PAR1 not \x00\x00\x00\x00PAR1"), 0, byte(0))
	for i := range 1000 {
		f.Add([]byte(nil), i*len(body)/1000, byte(1<<(i%8)))
	}
	f.Fuzz(func(t *testing.T, raw []byte, pos int, flip byte) {
		read := func(data []byte) error {
			return protect("x", func() error {
				o, err := openObject(data)
				if err != nil {
					return err
				}
				_, err = o.rows("")
				return err
			})
		}
		if len(raw) > 0 {
			read(raw)
			if sealed, err := seal.Seal(raw); err == nil {
				read(sealed)
			}
			return
		}
		if pos < 0 || pos >= len(body) || flip == 0 {
			return
		}
		data := slices.Clone(body)
		data[pos] ^= flip
		if err := read(data); !errors.Is(err, ErrCorrupt) {
			t.Errorf("byte %d of %d changed by %#x: %v", pos, len(body), flip, err)
		}
	})
}

func FuzzKey(f *testing.F) {
	f.Add("dt=2026-11-23/hr=10/millrace.events-3-00000000000000012345.parquet")
	f.Add("dt=2026-11-23/hr=24/x-3-00000000000000012345.parquet")
	f.Add("dt=2026-02-30/hr=10/import-0123-4-5-00000000000000012345.parquet")
	f.Add("dt=2026-11-23/hr=10/x-03-99999999999999999999.parquet")
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := ParseKey(s); err == nil && k.String() != s {
			t.Errorf("%q is read as %+v, which is %q", s, k, k)
		}
	})
}

func TestSplitURL(t *testing.T) {
	t.Parallel()
	f := func(u, host, path string) {
		t.Helper()
		if h, p := splitURL(u); h != host || p != path {
			t.Errorf("splitURL(%q) = %q, %q; want %q, %q", u, h, p, host, path)
		}
	}
	f("", "", "")
	f("https://Example.com", "example.com", "/")
	f("https://example.com/a%20b/C?q=//x#f", "example.com", "/a%20b/C")
	f("http://u:p@example.com:8080/", "example.com", "/")
	f("http://[2001:db8::1]:80/x", "[2001:db8::1]", "/x")
	f("http://[2001:db8::1]/x", "[2001:db8::1]", "/x")
	f("/pricing?x=https://y.com/z", "", "/pricing")
	f("app://localhost/home", "localhost", "/home")
	f("//cdn.example.com/x", "cdn.example.com", "/x")
	f("https://example.com?x", "example.com", "/")
}

// A segment of two row groups, whose addresses outgrow a dictionary and whose nulls come in every
// pattern.
func TestLargeSegment(t *testing.T) {
	t.Parallel()
	const group = 30_000
	const rows = group + 9_000
	store := newMemory()
	m := NewImporter(store, "import-000000000000")
	m.cut, m.buf.groupRows = rows, group
	nth := func(i int) event.Event {
		x := uint64(i) * 0x9e3779b97f4a7c15
		e := event.Event{Site: fmt.Sprint("s", x>>61), Name: "x", Time: t0.Floor(event.Hour) + event.Time(x>>44), Received: t0,
			URL: fmt.Sprintf("https://x.example.com/%016x", x)}
		if x>>32&3 != 0 {
			e.Visitor = event.Visitor(x)
		}
		if x>>34&15 == 0 {
			e.Currency, e.Amount = "EUR", event.Money(i%3)
		}
		if x>>38&1 == 0 {
			e.Props = []event.Prop{{Key: "k", Value: fmt.Sprint(x >> 60)}}
		}
		return e
	}
	for i := range rows {
		e := nth(i)
		if err := m.Add(context.Background(), &e, int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	mustCheck(t, store)
	for _, site := range []string{"", "s5"} {
		next := 0
		err := NewReader(store).ReadHour(context.Background(), t0.Floor(event.Hour), site, func(e *event.Event, src Source) error {
			want := nth(next)
			for ; site != "" && want.Site != site; want = nth(next) {
				next++
			}
			same := e.Site == want.Site && e.URL == want.URL && e.Time == want.Time && e.Visitor == want.Visitor &&
				e.Amount == want.Amount && e.Currency == want.Currency && slices.Equal(e.Props, want.Props)
			if !same || src.Offset != int64(next) {
				return fmt.Errorf("%s, want %d:\n got %+v\nwant %+v", src, next, e, want)
			}
			next++
			return nil
		})
		if err != nil || site == "" && next != rows || next < rows-100 {
			t.Fatalf("site %q: %d rows, %v", site, next, err)
		}
	}
}
