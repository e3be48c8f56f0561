package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// anyEvent draws an event that a collector may have made: any text, valid ids.
func anyEvent(t *rapid.T) Event {
	text := func(name string) string {
		return rapid.OneOf(rapid.Just(""), rapid.String(), rapid.SampledFrom([]string{
			`"`, `\`, "\x00\x1f\x7f", "\u2028", "é", "𝄞", "a\nb\tc\r", "<script>", strings.Repeat("x", 300),
		})).Draw(t, name)
	}
	e := Event{
		ID:       text("id"),
		Site:     rapid.StringMatching(`[a-z0-9.-]{1,30}`).Draw(t, "site"),
		Name:     text("name") + "n",
		Time:     Time(rapid.Int64Range(1, int64(maxTime)-1).Draw(t, "ts")),
		Received: Time(rapid.Int64Range(1, int64(maxTime)-1).Draw(t, "received")),
		Visitor:  Visitor(rapid.Uint64().Draw(t, "visitor")), VisitorPrev: Visitor(rapid.Uint64().Draw(t, "prev")),
		URL: text("url"), Referrer: text("referrer"), UA: text("ua"), Language: text("language"), Screen: text("screen"),
		Country: text("country"), Region: text("region"), City: text("city"), Client: text("client"), Bot: text("bot"),
		NonInteractive: rapid.Bool().Draw(t, "non-interactive"),
	}
	if rapid.Bool().Draw(t, "revenue") {
		const most = 100_000_000_000_000 * MoneyScale
		e.Amount = Money(rapid.Int64Range(1-most, most-1).Draw(t, "amount"))
		e.Currency = "EUR"
	}
	if rapid.Bool().Draw(t, "ping") {
		e.Ping = true
		e.Engaged = Time(rapid.Int64Range(0, int64(maxTime)-1).Draw(t, "engaged"))
		e.Scroll = PercentOf(rapid.Int64Range(-1, 101).Draw(t, "scroll"))
	}
	e.HashRoute = rapid.Bool().Draw(t, "hash")
	keys := rapid.SliceOfNDistinct(rapid.String(), 0, 5, rapid.ID[string]).Draw(t, "keys")
	sort.Strings(keys)
	for _, k := range keys {
		e.Props = append(e.Props, Prop{k, text("value")})
	}
	return e
}

// An Encoder writes what Append writes, whatever it remembers.
func TestEncoder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x Encoder
		var events []Event
		for range 3 {
			events = append(events, anyEvent(t))
		}
		at := rapid.SliceOfN(rapid.IntRange(0, len(events)-1), 1, 12).Draw(t, "order")
		for _, i := range at {
			e := events[i]
			if rapid.Bool().Draw(t, "another's") {
				e.UA, e.Country, e.Received = events[0].UA, events[0].Country, e.Time
			}
			if got, want := x.Append(nil, &e, false, ""), e.Append(nil); string(got) != string(want) {
				t.Fatalf("got  %s\nwant %s", got, want)
			}
			if rapid.Bool().Draw(t, "reset") {
				x.Reset()
			}
		}
	})
	e := Event{ID: "1", Site: "a.example", Name: "x", Time: 5, Received: 5, Visitor: 0x0123456789abcdef, URL: "https://a/",
		UA: `"`, City: "é", Props: []Prop{{"a", "b~ "}}, Client: "v1"}
	var x Encoder
	plain := func() {
		t.Helper()
		want := string(e.Append(nil))
		if got := x.Append(nil, &e, true, ""); string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if got := x.Append(nil, &e, true, string(AppendProps(nil, e.Props))); len(e.Props) > 0 && string(got) != want {
			t.Errorf("with encoded properties\ngot  %s\nwant %s", got, want)
		}
	}
	plain()
	for _, change := range []func(){
		func() { e.VisitorPrev = 1 }, func() { e.Amount, e.Currency = 15_000, "EUR" }, func() { e.NonInteractive = true },
		func() { e.Bot = `"` }, func() { e.Ping, e.Engaged = true, 5 }, func() { e.HashRoute = true }, func() { e.Client = "" },
		func() { e.URL, e.Screen, e.Props = "", "", nil }, func() { e.Referrer, e.Screen = "https://b/", "1x1" },
	} {
		was := e
		change()
		plain()
		e = was
	}
}

func TestEventComesBack(t *testing.T) {
	var d Decoder
	rapid.Check(t, func(t *rapid.T) {
		want := anyEvent(t)
		b := want.Append(nil)
		if !json.Valid(b) || !utf8.Valid(b) {
			t.Fatalf("not JSON: %s", b)
		}
		var got Event
		if err := d.DecodeEvent(b, &got); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if len(got.Props) == 0 {
			got.Props = nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("went in  %+v\ncame out %+v", want, got)
		}
	})
}

func TestEnvelopeComesBack(t *testing.T) {
	var d Decoder
	var env Envelope
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Custom(anyEvent), 0, 5).Draw(t, "events")
		low := Time(rapid.Int64Range(0, int64(maxTime)-1).Draw(t, "low"))
		var events []byte
		for i := range want {
			if i > 0 {
				events = append(events, ',')
			}
			events = want[i].Append(events)
		}
		b := AppendEnvelope(nil, "c\"1", low, events)
		if err := d.Decode(b, &env); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if env.Collector != "c\"1" || env.Low != low || len(env.Events) != len(want) {
			t.Fatalf("got %+v", env)
		}
		for i := range want {
			if got := env.Events[i].Append(nil); string(got) != string(want[i].Append(nil)) {
				t.Fatalf("event %d went in  %+v\ncame out %s", i, want[i], got)
			}
		}
	})
}

// TestAppendMendsInvalidUTF8: what isn't text becomes U+FFFD, as encoding/json does it.
func TestAppendMendsInvalidUTF8(t *testing.T) {
	f := func(s string) {
		t.Helper()
		var got string
		if err := json.Unmarshal(appendString(nil, s), &got); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
		std, _ := json.Marshal(s)
		var want string
		_ = json.Unmarshal(std, &want)
		if got != want {
			t.Errorf("%q: got %q, encoding/json gives %q", s, got, want)
		}
	}
	f("plain")
	f("a\xffb")
	f("\xc3")
	f("\xed\xa0\x80") // a surrogate
	f("\ufffd")
	f("\xf4\x90\x80\x80")
}

// TestPlainPrefix tries every byte at every place, behind and before those at the edges of what is copied as it is.
func TestPlainPrefix(t *testing.T) {
	plain := func(c byte) bool { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' }
	edges := []byte{0, 0x1f, 0x20, '!', '"', '#', '[', '\\', ']', 0x7f, 0x80, 0xff}
	for place := range 8 {
		for c := range 256 {
			for i := range len(edges) * len(edges) {
				s := []byte("........beyond it")[:8+i%9]
				for k := range place {
					s[k] = "az~ !#[]"[k]
				}
				if place > 0 {
					s[place-1] = edges[i/len(edges)]
				}
				s[place] = byte(c)
				if place < 7 {
					s[place+1] = edges[i%len(edges)]
				}
				want := 0
				for want < len(s) && plain(s[want]) {
					want++
				}
				if got := plainPrefix(string(s)); got != want {
					t.Fatalf("%q: %d bytes are plain, want %d", s, got, want)
				}
			}
		}
	}
}

// TestPlainPrefixLengths has one byte that is not copied at each place of strings of each length, and none.
func TestPlainPrefixLengths(t *testing.T) {
	for n := range 34 {
		s := []byte("the quick brown fox jumps over the")[:n]
		for place := range n {
			was := s[place]
			for _, c := range []byte{0, 0x1f, '"', '\\', 0x80, 0xff} {
				s[place] = c
				if got := plainPrefix(string(s)); got != place {
					t.Errorf("%q: %d bytes are plain, want %d", s, got, place)
				}
			}
			s[place] = was
		}
		if got := plainPrefix(string(s)); got != n {
			t.Errorf("%q: %d bytes are plain, want all", s, got)
		}
	}
}

// TestAppendTimes: the time of receipt is its own, whether it is that of the event or not.
func TestAppendTimes(t *testing.T) {
	for _, at := range []Time{0, 1, -1, 1_772_625_600_000, math.MaxInt64, math.MinInt64} {
		for _, received := range []Time{at, 1_772_625_600_001, 0} {
			e := Event{Time: at, Received: received, Visitor: 0x00f0123456789abc}
			want := fmt.Sprintf(`"ts":%d,"received":%d,"visitor":"%016x"`, at, received, uint64(e.Visitor))
			for room := range 200 { // where it is moved
				if got := string(e.Append(make([]byte, 0, room))); !strings.Contains(got, want) {
					t.Fatalf("got %s, want %s", got, want)
				}
			}
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	e := Event{ID: "0123456789abcdef01234567", Site: "www.example.com", Name: "pageview", URL: "https://www.example.com/products/shoes?utm_source=newsletter",
		Referrer: "https://www.google.com/", UA: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36", Language: "en",
		Time: 1_772_625_600_000, Received: 1_772_625_600_000, Visitor: 0x0ca9b8a3add31f95, Screen: "1920x1080", Country: "DE", Client: "v1",
		Props: []Prop{{"author", "Ada"}, {"plan", "pro"}}}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = e.Append(dst[:0])
	}
}

func TestDecodeRefuses(t *testing.T) {
	var d Decoder
	var env Envelope
	f := func(value string, sentinel error, want string) {
		t.Helper()
		err := d.Decode([]byte(value), &env)
		if !errors.Is(err, sentinel) || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", value, err, want)
		}
	}
	if err := d.Decode(nil, &env); !errors.Is(err, ErrNil) {
		t.Errorf("nil: %v", err)
	}
	f("", ErrSyntax, "record is not JSON: cannot parse JSON: cannot parse empty string; unparsed tail: \"\"")
	f("\xff", ErrSyntax, "record is not JSON: invalid UTF-8")
	f("[]", ErrField, "field is missing or of the wrong type: it is a JSON array, not an object")
	f("{}", ErrVersion, "unknown envelope version: v: missing")
	f(`{"v":"1"}`, ErrVersion, "unknown envelope version: v: \"1\" is not a whole number")
	f(`{"v":2}`, ErrVersion, "unknown envelope version: data of a newer Millrace (format 2; this one reads 1): use the newer program")
	f(`{"v":1}`, ErrField, "field is missing or of the wrong type: low: missing")
	f(`{"v":1,"low":1}`, ErrField, "field is missing or of the wrong type: collector is missing")
	f(`{"v":1,"low":1,"collector":"c"}`, ErrField, "field is missing or of the wrong type: events is not an array")
	f(`{"v":1,"low":1,"collector":"c","events":{}}`, ErrField, "field is missing or of the wrong type: events is not an array")
	f(`{"v":1,"low":1.5,"collector":"c","events":[]}`, ErrField, "field is missing or of the wrong type: low: 1.5 is not a whole number")
	f(`{"v":1,"low":7258118400000,"collector":"c","events":[]}`, ErrField, "field is missing or of the wrong type: low: 7258118400000 ms is not between 1970 and 2200")
	f(`{"v":1,"low":-1,"collector":"c","events":[]}`, ErrField, "field is missing or of the wrong type: low: -1 ms is not between 1970 and 2200")
	event := func(e, want string) {
		t.Helper()
		f(`{"v":1,"low":1,"collector":"c","events":[{"site":"a","name":"x","ts":1},`+e+`]}`, ErrField,
			"field is missing or of the wrong type: events[1]: "+want)
	}
	event(`5`, "not an object")
	event(`{"site":"a","name":"x"}`, "ts is missing")
	event(`{"site":"a","ts":1}`, "name is missing")
	event(`{"name":"x","ts":1}`, `site "": a site id has 1 to 253 characters of a-z 0-9 . -`)
	event(`{"site":"A","name":"x","ts":1}`, `site "A": a site id has 1 to 253 characters of a-z 0-9 . -`)
	event(`{"site":"a","name":5,"ts":1}`, "name is a JSON number, not a string")
	event(`{"site":"a","name":"x","ts":"1"}`, `ts: "1" is not a whole number`)
	event(`{"site":"a","name":"x","ts":1,"visitor":"xyz"}`, `visitor: visitor "xyz" is not 1 to 16 hexadecimal digits`)
	event(`{"site":"a","name":"x","ts":1,"non_interactive":"true"}`, "non_interactive is a JSON string, not true or false")
	event(`{"site":"a","name":"x","ts":1,"ping":1}`, "ping is a JSON number, not true or false")
	event(`{"site":"a","name":"x","ts":1,"engaged":"5"}`, `engaged: "5" is not a whole number`)
	event(`{"site":"a","name":"x","ts":1,"scroll":101}`, "scroll: 101 is not a percentage of 0 to 100")
	event(`{"site":"a","name":"x","ts":1,"scroll":-1}`, "scroll: -1 is not a percentage of 0 to 100")
	event(`{"site":"a","name":"x","ts":1,"scroll":1.5}`, "scroll: 1.5 is not a whole number")
	event(`{"site":"a","name":"x","ts":1,"props":[]}`, "props is a JSON array, not an object")
	event(`{"site":"a","name":"x","ts":1,"props":{"k":1}}`, "a value of props is a JSON number, not a string")
	event(`{"site":"a","name":"x","ts":1,"revenue":1}`, "revenue is a JSON number, not an object")
	event(`{"site":"a","name":"x","ts":1,"revenue":{"amount":"x","currency":"EUR"}}`, `revenue: amount "x" is not a decimal number`)
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"v":1,"collector":"c1","low":5,"events":[{"id":"1","site":"a.example","name":"x","ts":1,"received":2,"visitor":"00ff",` +
		`"props":{"a":"b"},"revenue":{"amount":"-1.5","currency":"EUR"}}]}`))
	f.Add([]byte(`{"v":1,"collector":"c1","low":5,"events":[]}`))
	f.Add([]byte(`{"v":1,"collector":"\ud800","low":-1,"events":[{"site":"-","name":"\udc00","ts":-1,"x":[{}]}]}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		var d Decoder
		var env Envelope
		if err := d.Decode(value, &env); err != nil {
			for _, sentinel := range []error{ErrNil, ErrSyntax, ErrVersion, ErrField} {
				if errors.Is(err, sentinel) {
					return
				}
			}
			t.Fatalf("%q: error without a reason: %v", value, err)
		}
		var events []byte
		for i := range env.Events {
			if i > 0 {
				events = append(events, ',')
			}
			events = env.Events[i].Append(events)
		}
		b := AppendEnvelope(nil, env.Collector, env.Low, events)
		var d2 Decoder
		var again Envelope
		if err := d2.Decode(b, &again); err != nil {
			t.Fatalf("%q was read and written as %s, which is not read: %v", value, b, err)
		}
		var events2 []byte
		for i := range again.Events {
			if i > 0 {
				events2 = append(events2, ',')
			}
			events2 = again.Events[i].Append(events2)
		}
		if b2 := AppendEnvelope(nil, again.Collector, again.Low, events2); string(b) != string(b2) {
			t.Fatalf("first  %s\nsecond %s", b, b2)
		}
	})
}
