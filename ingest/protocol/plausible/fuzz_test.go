package plausible

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// What is no JSON is refused, though fastjson reads it.
func TestNotJSON(t *testing.T) {
	var p protocol.Parser
	names := strings.NewReplacer(`"props"`, `"p"`, `"revenue"`, `"$"`, `"referrer"`, `"r"`, `"language"`, `"x"`, `"referre\u0072"`, `"\u0072"`)
	protocoltest.NotJSON(func(fields string) {
		t.Helper()
		fields = names.Replace(fields)
		if _, err := parse(&p, `{"n":"pageview","u":"https://a.example/",`+fields+`}`); err == nil {
			t.Errorf("plausible took %s", fields)
		}
	})
}

// FuzzParse: any body gives an error that names something, or events that survive the way through
// the topic.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		"", "[]", "{", "nul", `{"site":"a.example","name":"x"}`,
		`{"n":"engagement","i":false,"u":"https://www.x.example:80/?#","d":"a,b","p":"{\"x\":1}","$":"{\"amount\":1,\"currency\":\"EUR\"}","sd":5,"w":7}`,
		`{"name":"x","url":"https://x.example/","domain":"a,b,_","props":{"b":1e5,"a":true,"c":null},"revenue":{"amount":"1.00005","currency":"eur"},` +
			`"referrer":"\ud7ff","hashMode":1,"version":3,"e":1.5,"interactive":"no"}`,
		`{"n":"pageview","v":36,"u":"https://a.example/","d":"a.example","r":"https://b.example/","w":1280,"p":{"a":"1","b":"2"}}`,
		`{"n":"x","u":"https://a.example/","p":{"b":"1","a":"2"},"props":{"c":"1"},"h":1,"i":false,"id":7,"m":null}`,
		`{"n":"x","u":"https://a.example/","props":{"c":"1"},"p":{"a":"2"},"unknown":1}`, `{"n":"x","n":"x"}`, `{"n":"x","u":"/","p":{},"p":{}}`,
	} {
		f.Add([]byte(body))
	}
	now := event.TimeOf(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p protocol.Parser
		inputs, err := parse(&p, string(text))
		sameWhole(t, text)
		protocoltest.Reading{Body: text, Inputs: inputs, Err: err, Now: now}.Check(t)
	})
}

// sameWhole fails the test if a body is not read as it is where it is read as a whole.
func sameWhole(t *testing.T, text []byte) {
	t.Helper()
	got, want := body{Parser: &protocol.Parser{}}, body{Parser: &protocol.Parser{}}
	got.Reset()
	want.Reset()
	// With room behind it, in which what does not belong to it stays what it is until it is read.
	own := append(slices.Clip(slices.Clone(text)), "\"}]:,\"\"x"...)[:len(text)]
	err, wantErr := got.read(got.BeginIn(own), own), want.whole(text)
	if string(own) != string(text) {
		t.Fatalf("%q has become %q", text, own)
	}
	if err != nil || wantErr != nil {
		if err == nil || wantErr == nil || err.Error() != wantErr.Error() {
			t.Fatalf("%q: error %v, as a whole %v", text, err, wantErr)
		}
		return
	}
	if got.version != want.version || !slices.Equal(got.unfit, want.unfit) || got.Adjusted() != want.Adjusted() {
		t.Fatalf("%q: got  %+v, %v\nwant %+v, %v", text, got, got.Adjusted(), want, want.Adjusted())
	}
	if len(got.Inputs()) != len(want.Inputs()) {
		t.Fatalf("%q: %d events, as a whole %d", text, len(got.Inputs()), len(want.Inputs()))
	}
	for i, in := range got.Inputs() {
		as := want.Inputs()[i]
		if in.PropsText != "" && in.PropsText != string(event.AppendProps(nil, as.Props)) {
			t.Fatalf("%q: the properties %+v are %s", text, as.Props, in.PropsText)
		}
		if len(in.Props)+len(as.Props) == 0 {
			in.Props, as.Props = nil, nil // in memory that is used again none may be an empty list
		}
		in.PropsText, in.Plain = "", in.Plain && as.Plain // a key with an escape tells nothing of its value
		if !reflect.DeepEqual(in, as) {
			t.Fatalf("%q: got  %+v\nwant %+v", text, in, as)
		}
	}
}
