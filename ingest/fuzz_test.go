package ingest

import (
	"errors"
	"testing"

	"millrace/engine/event"
)

// FuzzParse: any body gives an error that names something, or events that survive the way through the topic.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		oneEvent, "[" + oneEvent + "]", oneEvent + "\n" + oneEvent, "", "[]", "{", "nul", `[[[[`,
		`{"site":"a.example","name":"x","ts":1700000000000,"ip":"1.2.3.4","ua":"u","visitor":"v","props":{"b":1e5,"a":true},` +
			`"revenue":{"amount":"1.00005","currency":"EUR"},"screen":"1x1","language":"de","id":"1","url":"a://b","referrer":"\ud800"}`,
		`{"site":"a.example","name":"x","revenue":{"amount":"99999999999999.99999","currency":"EUR"}}`, // rounded it is too long to be read
		`{"n":"engagement","i":false,"u":"https://www.x.example:80/?#","d":"a,b","p":"{\"x\":1}","$":"{\"amount\":1,\"currency\":\"EUR\"}","sd":5,"w":7}`,
	} {
		f.Add([]byte(body), true)
		f.Add([]byte(body), false)
	}
	now := event.TimeOf(testTime)
	f.Fuzz(func(t *testing.T, body []byte, trusted bool) {
		var p Parser
		for _, parse := range []func() ([]Input, error){
			func() ([]Input, error) { return p.Parse(body, trusted, now) },
			func() ([]Input, error) { return p.parsePlausible(body) },
		} {
			inputs, err := parse()
			if err != nil {
				if f := new(fieldError); !errors.As(err, &f) || f.msg == "" || len(err.Error()) > 500 {
					t.Fatalf("%q: error %v", body, err)
				}
				continue
			}
			if len(inputs) == 0 || len(inputs) > MaxEvents {
				t.Fatalf("%q: %d events", body, len(inputs))
			}
			for i := range inputs {
				checkInput(t, &inputs[i], trusted, now)
			}
		}
	})
}

func checkInput(t *testing.T, in *Input, trusted bool, now event.Time) {
	t.Helper()
	if !trusted && (in.Time != 0 || in.IP.IsValid() || in.UA != "" || in.Named != "") {
		t.Fatalf("trusted fields of a stranger: %+v", in)
	}
	in.Received = now
	if in.Time == 0 {
		in.Time = now
	}
	if n, most := len(in.Append(nil))+1+recordOverhead, in.mostBytes(); n > most {
		t.Fatalf("%d bytes, %d would be reserved: %s", n, most, in.Append(nil))
	}
	var d event.Decoder
	var back event.Event
	if err := d.DecodeEvent(in.Append(nil), &back); err != nil {
		t.Fatalf("%v: %s", err, in.Append(nil))
	}
	if a, b := string(in.Append(nil)), string(back.Append(nil)); a != b {
		t.Fatalf("went in as  %s\ncame out as %s", a, b)
	}
}

// FuzzUnpack: no packed body panics or gives more than the limit.
func FuzzUnpack(f *testing.F) {
	for i, body := range []string{"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", "\x78\x9c\x03\x00", "\x0b\x02\x80abc\x03", "\x28\xb5\x2f\xfd\x04\x00"} {
		f.Add(uint8(i), []byte(body))
	}
	u := newUnpacker(10_000)
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		out, err := u.bytes([]string{"gzip", "deflate", "br", "zstd"}[which%4], body, nil)
		if len(out) > 10_001 || len(out) == 10_001 && !errors.Is(err, errUnpacked) {
			t.Fatalf("%d bytes, %v", len(out), err)
		}
	})
}
