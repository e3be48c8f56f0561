package protocoltest

import (
	"bytes"
	"testing"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// NotJSON calls f with fields of events that are no JSON, though fastjson reads them, and that
// every protocol that takes JSON has to refuse. The fields are those of our own events: ts,
// language, referrer, props and revenue.
func NotJSON(f func(fields string)) {
	for _, number := range []string{"01", "-01", "1.", ".5", "+1", "1e", "NaN", "nan", "Infinity", "-inf", "0x1", "1_0", "1.0.1"} {
		f(`"props":{"a":` + number + `}`)
		f(`"revenue":{"amount":` + number + `,"currency":"EUR"}`)
		f(`"ts":` + number)
	}
	for _, text := range []string{`\x41`, `\u12`, `\u12g4`, `\ud800`, `\udc00\ud800`, `\ud800\u0041`, `\'`, `\U0041`, "\x01", "a\nb", "\xff"} {
		f(`"language":"` + text + `"`)
		f(`"props":{"a":"` + text + `"}`)
		f(`"props":{"` + text + `":"a"}`)
	}
	f(`"props":{"a":1,"a":1}`)
	f(`"props":{"a":1,"\u0061":1}`)
	f(`"revenue":{"amount":1,"amount":1,"currency":"EUR"}`)
	f(`"revenue":{"amount":1,"currency":"EUR","currency":"EUR"}`)
	f(`"referrer":"a","referrer":"a"`)
	f(`"referrer":"a","referre\u0072":"a"`)
	f(`"props":{"a":1,}`)
	f(`"props":{"a":tru}`)
}

// Strict reports whether a body is JSON, or each of its lines is.
func Strict(body []byte) bool {
	body = bytes.TrimSpace(body)
	if strictjson.Check(body) == nil {
		return true
	}
	for line := range bytes.Lines(body) {
		if len(bytes.TrimSpace(line)) > 0 && strictjson.Check(bytes.TrimSpace(line)) != nil {
			return false
		}
	}
	return true
}

// Reading is what a protocol has made of a body, for a fuzz target to check.
type Reading struct {
	Body    []byte
	Inputs  []protocol.Input
	Err     error
	Trusted bool
	Now     event.Time
	// Empty says that a body may hold nothing that counts, and be taken.
	Empty bool
	// Form says that the body is no JSON.
	Form bool
}

// Check fails the test unless the body was refused by an error that names something, or is JSON
// whose events survive the way through the topic.
func (r Reading) Check(tb testing.TB) {
	tb.Helper()
	if f, ok := r.Err.(*protocol.FieldError); r.Err != nil && (!ok || f != nil) {
		CheckError(tb, r.Body, r.Err)
		return
	}
	if !r.Form && !Strict(r.Body) {
		tb.Fatalf("%q is no JSON, and was taken", r.Body)
	}
	if len(r.Inputs) > 0 || !r.Empty {
		CheckInputs(tb, r.Inputs, r.Trusted, r.Now)
	}
}

// CheckInputs fails the test if what a protocol has made of a body can't be the events of one:
// their number, a trusted field of a stranger, a length that no memory is reserved for, or an
// encoding that does not survive the way through the topic.
func CheckInputs(tb testing.TB, inputs []protocol.Input, trusted bool, now event.Time) {
	tb.Helper()
	if len(inputs) == 0 || len(inputs) > protocol.MaxEvents {
		tb.Fatalf("%d events", len(inputs))
	}
	for i := range inputs {
		checkInput(tb, &inputs[i], trusted, now)
	}
}

func checkInput(tb testing.TB, in *protocol.Input, trusted bool, now event.Time) {
	tb.Helper()
	if !trusted && (in.Time != 0 || in.IP.IsValid() || in.UA != "" || in.Named != "") {
		tb.Fatalf("trusted fields of a stranger: %+v", in)
	}
	in.Received = now
	if in.Time == 0 {
		in.Time = now
	}
	var x event.Encoder
	if plain, text := x.Append(nil, &in.Event, in.Plain, in.PropsText), in.Append(nil); string(plain) != string(text) {
		tb.Fatalf("plain, it is encoded as %s, and else as %s", plain, text)
	}
	if n, most := len(in.Append(nil))+1, in.MostBytes(); n > most {
		tb.Fatalf("%d bytes, %d would be reserved: %s", n, most, in.Append(nil))
	}
	var d event.Decoder
	var back event.Event
	if err := d.DecodeEvent(in.Append(nil), &back); err != nil {
		tb.Fatalf("%v: %s", err, in.Append(nil))
	}
	if a, b := string(in.Append(nil)), string(back.Append(nil)); a != b {
		tb.Fatalf("went in as  %s\ncame out as %s", a, b)
	}
}

// CheckError fails the test if the error of a body names nothing that is wrong, or is longer than
// an answer should be.
func CheckError(tb testing.TB, body []byte, err error) {
	tb.Helper()
	if f, ok := err.(*protocol.FieldError); !ok || f.Msg == "" || len(err.Error()) > 500 {
		tb.Fatalf("%q: error %v", body, err)
	}
}
