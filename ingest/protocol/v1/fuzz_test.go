package v1

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

const oneEvent = `{"site":"a.example","name":"x"}`

// FuzzParse: any body gives an error that names something, or events that survive the way through
// the topic.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		oneEvent, "[" + oneEvent + "]", oneEvent + "\n" + oneEvent, "", "[]", "{", "nul", `[[[[`,
		`{"site":"a.example","name":"x","ts":1700000000000,"ip":"1.2.3.4","ua":"u","visitor":"v","props":{"b":1e5,"a":true},` +
			`"revenue":{"amount":"1.00005","currency":"EUR"},"screen":"1x1","language":"de","id":"1","url":"a://b","referrer":"\ud800"}`,
		`{"site":"a.example","name":"x","revenue":{"amount":"99999999999999.99999","currency":"EUR"}}`, // rounded it is too long to be read
	} {
		f.Add([]byte(body), true)
		f.Add([]byte(body), false)
	}
	now := event.TimeOf(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	for _, fields := range []string{
		`"url":"https://a.example/","referrer":"https://b.example/","language":"de-AT","screen":"1920x1080","id":"x1"`,
		`"props":{"a":"1","b":"2"}`, `"props":{"b":"1","a":"2"}`, `"props":{"a":"1","a":"2"}`, `"props":{"a":"1" }`, `"props": {"a":"1"}`,
		`"props":{"a":"1","b":2}`, `"props":{"":"1"}`, `"props":{"a":"\n"}`, `"props":{"é":"1"}`, `"props":{}`, `"props":{"a":"1"},"props":{"b":"1"}`,
		`"url":"https://a.example/","url":"https://b.example/"`, `"url" :"https://a.example/" ,`, `"screen":"x"`, `"url":"/x"`, `"id":"~0123456789abcdef.x"`,
		`"name":"y"`, `"client_id":"c","interactive":true`,
	} {
		f.Add([]byte("["+oneEvent[:len(oneEvent)-1]+","+fields+"},"+oneEvent+"]"), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, trusted bool) {
		var p protocol.Parser
		inputs, err := Parse(&p, body, trusted, now)
		if err == nil {
			sameWhole(t, inputs, body, trusted, now)
		}
		protocoltest.Reading{Body: body, Inputs: inputs, Err: err, Trusted: trusted, Now: now}.Check(t)
	})
}

// sameWhole fails the test if inputs are not those that are read where the body is read as a whole.
func sameWhole(t *testing.T, inputs []protocol.Input, body []byte, trusted bool, now event.Time) {
	t.Helper()
	r := reader{&protocol.Parser{}, trusted, now}
	want, err := r.whole(bytes.Trim(body, blanks))
	if err != nil || len(inputs) != len(want) {
		t.Fatalf("%q: %d events, as a whole %d: %v", body, len(inputs), len(want), err)
	}
	for i := range want {
		if text := inputs[i].PropsText; text != "" && text != string(event.AppendProps(nil, want[i].Props)) {
			t.Fatalf("%q: the properties %+v are %s", body, want[i].Props, text)
		}
		got := inputs[i]
		if len(got.Props)+len(want[i].Props) == 0 {
			got.Props, want[i].Props = nil, nil // in memory that is used again none may be an empty list
		}
		got.PropsText, got.Plain = "", got.Plain && want[i].Plain // a key with an escape tells nothing of its value
		if !reflect.DeepEqual(got, want[i]) {
			t.Fatalf("%q: got  %+v\nwant %+v", body, inputs[i], want[i])
		}
	}
}

// What is read in parts is what is read as a whole, whatever the order, blanks and escapes; and it is
// read in parts.
func TestStream(t *testing.T) {
	f := func(body string, events int, plain bool) {
		t.Helper()
		const now = 1_700_000_000_000
		r := reader{&protocol.Parser{}, true, now}
		if !r.stream(r.Begin([]byte(body))) || len(r.Inputs()) != events {
			t.Fatalf("%s: %d events", body, len(r.Inputs()))
		}
		for i := range r.Inputs() {
			if r.Inputs()[i].Plain != plain {
				t.Errorf("%s: event %d is plain: %v", body, i, !plain)
			}
		}
		sameWhole(t, r.Inputs(), []byte(body), true, now)
	}
	f(oneEvent, 1, true)
	f(`[{"name":"x" , "site":"a.example"},`+"\n\t"+`{"site":"a.example","name":"y z~!"} ]`, 2, true)
	f(`{"site":"a.example","name":"x","props":{"b":1e5,"a":true,"c":"d"},"revenue":{"amount":"1.5","currency":"EUR"},`+
		`"ts":1699999999999,"ip":"1.2.3.4","visitor":"v","interactive":false,"id":"1","url":"https://a/b","referrer":null}`, 1, true)
	f(`{"site":"a.example","name":"x","url":"https:\/\/a.example\/"}`, 1, false)
	f(`{"site":"a.example","name":"\u00e9"}`, 1, false)
	f(`{"site":"a.example","name":"é"}`, 1, false)
	f(`{"site":"a.example","name":"x","props":{"é":"a"}}`, 1, false)
	f(`{"site":"a.example","name":"x","props":{"a":"\""}}`, 1, false)
	f(`{"site":"a.example","name":"x","props":{"\u0061":1}}`, 1, false)
}
