package pixel

import (
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// TestLimits: what is too long to stand in a script is cut, or left out where a part of it is of no
// use.
func TestLimits(t *testing.T) {
	var p protocol.Parser
	f := func(name, value, want, adjusted string) {
		t.Helper()
		var args fasthttp.Args
		args.Set("site", "a.example")
		args.Set(name, value)
		q := query{Parser: &p}
		if err := q.read(&args, nil); err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		in := &p.Inputs()[0]
		got := map[string]string{"url": in.URL, "referrer": in.Referrer, "name": in.Name, "id": in.ID, "language": in.Language}
		if got[name] != want || p.Adjusted().String() != adjusted {
			t.Errorf("%s: %q, adjusted %q", name, got[name], p.Adjusted())
		}
	}
	f("url", "https://d/"+strings.Repeat("é", 2043), "https://d/"+strings.Repeat("é", 2043), "")
	f("url", "https://d/"+strings.Repeat("é", 3000), "https://d/"+strings.Repeat("é", 2043), "url")
	f("referrer", strings.Repeat("x", 5000), strings.Repeat("x", 4096), "referrer")
	f("name", strings.Repeat("x", 130), strings.Repeat("x", 120), "name")
	f("id", strings.Repeat("x", 64), strings.Repeat("x", 64), "")
	f("id", strings.Repeat("x", 65), "hash-4e510f5868b33dd5", "id")
	f("id", "undefined", "", "id")
	f("language", strings.Repeat("x", 36), "", "language")
}

// FuzzRead: any query gives an error that names something, or events that survive the way through
// the topic.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"", "site=a.example", "site=a.example&name=x&url=https://a.example/&referrer=%ff&language=de&screen=1x1&id=1&_=2",
		"site=a.example&amount=1.00005&currency=eur&interactive=false&p.a=%00&amp;p.a=2&p.=1&amp;amp;x=1",
		"site=a.example&amount=99999999999999.99999&currency=EUR", // rounded it is too long to be read
	} {
		f.Add(text, "https://a.example/")
	}
	now := event.TimeOf(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	f.Fuzz(func(t *testing.T, text, referer string) {
		var args fasthttp.Args
		args.Parse(text)
		var p protocol.Parser
		q := query{Parser: &p}
		err := q.read(&args, []byte(referer))
		protocoltest.Reading{Body: []byte(text), Inputs: p.Inputs(), Err: err, Now: now, Form: true}.Check(t)
	})
}
