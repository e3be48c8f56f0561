package goatcounter

import (
	"testing"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

const now event.Time = 1_772_600_767_000 // 2026-03-04T05:06:07Z

// TestURL: a page is a path, beside which its query is sent.
func TestURL(t *testing.T) {
	var p protocol.Parser
	rd := reader{Parser: &p, now: now}
	f := func(path, query, want string) {
		t.Helper()
		p.Reset()
		if got := rd.url("https://a.example", path, query); got != want {
			t.Errorf("%q %q: %q, want %q", path, query, got, want)
		}
	}
	f("/1", "", "https://a.example/1")
	f("1", "", "https://a.example/1")
	f("/1", "?a=b", "https://a.example/1?a=b")
	f("/1", "a=b", "https://a.example/1?a=b")
	f("/1?a=b", "?a=b&c=d", "https://a.example/1?a=b")
	f("https://b.example/1", "", "https://b.example/1")
}

// What is no JSON is refused, though fastjson reads it.
func TestNotJSON(t *testing.T) {
	var p protocol.Parser
	protocoltest.NotJSON(func(fields string) {
		t.Helper()
		p.Reset()
		rd := reader{Parser: &p, now: now}
		if err := rd.batch([]byte(`{"hits":[{"path":"/1",`+fields+`}]}`), "a.example"); err == nil {
			t.Errorf("goatcounter took %s", fields)
		}
	})
}

// FuzzRead: any body gives an error that names something, or events that survive the way through
// the topic.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		"", "{}", `{"hits":[]}`, `{"hits":[5]}`,
		`{"hits":[{"path":"/1","title":"t","ref":"r","size":[1280,720,1],"query":"?utm_source=a","user_agent":"x","ip":"::ffff:1.2.3.4","language":"de","created_at":"2026-03-04T05:06:00Z","session":"s"}]}`,
		`{"no_sessions":true,"hits":[{"path":"pageview","event":true,"size":"1280,720,2","bot":150},{"path":"/","event":"1","size":1280}]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var p protocol.Parser
		rd := reader{Parser: &p, now: now}
		err := rd.batch(text, "a.example")
		protocoltest.Reading{Body: text, Inputs: p.Inputs(), Err: err, Trusted: true, Now: now}.Check(t)
	})
}

// FuzzAdd: any texts of a query give an event that survives the way through the topic.
func FuzzAdd(f *testing.F) {
	f.Add("/1", "t", "r", "1280", "?q", false, 0)
	f.Add("pageview", "\xff", "\x00", "1280,720,1", "&#", true, 150)
	f.Fuzz(func(t *testing.T, path, title, referrer, size, query string, isEvent bool, bot int) {
		var p protocol.Parser
		rd := reader{Parser: &p, now: now}
		rd.add("a.example", "https://a.example", &hit{path, title, referrer, size, query, isEvent, bot})
		protocoltest.CheckInputs(t, p.Inputs(), false, now)
	})
}
