package v1

import (
	"bytes"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// Bodies that are nearly as most are, with what differs in each place, are read as they are where they
// are read as a whole, in the same memory and in a copy. MILLRACE_MUTATE is for how long that is tried.
func TestMutated(t *testing.T) {
	took, _ := time.ParseDuration(os.Getenv("MILLRACE_MUTATE"))
	seed := uint64(1)
	if took > 0 {
		seed = uint64(time.Now().UnixNano())
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	blank := func() string { return pick("", "", "", "", "", "", "", " ", "\n", "\t\r") }
	value := func() string {
		return pick(`"x"`, `"pageview"`, `"a.example"`, `"https://a.example/b?c=d"`, `"1920x1080"`, `"de-AT"`, `""`, `" "`, `"é"`, `"\u00e9"`, `"\""`, `"a\\b"`, "\"\x7f\"",
			`1`, `-1.5e3`, `true`, `false`, `null`, `{}`, `[]`, `{"a":"1"}`, `{"a":"1","b":"2"}`, `{"b":"1","a":"2"}`, `{"a":"1","a":"2"}`, `{"a":1}`, `{"":"1"}`,
			`"`+strings.Repeat("y", rng.IntN(200))+`"`, `{"a":"`+strings.Repeat("z", rng.IntN(3000))+`"}`, `"~0123456789abcdef.x"`)
	}
	key := func() string {
		return pick("id", "site", "name", "url", "referrer", "language", "screen", "props", "client_id", "interactive", "ts", "ua", "ip", "visitor", "revenue",
			`nam\u0065`, "referre", "referrer2", "languages", "screens", "", "props ")
	}
	one := func() string {
		fields := []string{`"site":"a.example"`, `"name":"x"`}
		for range rng.IntN(5) {
			if rng.IntN(8) == 0 {
				fields = append(fields, `"`+key()+`"`+blank()+":"+blank()+value())
				continue
			}
			fields = append(fields, pick(`"id":"i1"`, `"url":"https://a.example/é"`, `"url":"https://a.example/b?c=d"`, `"referrer":"https://b.example/"`, `"referrer":null`,
				`"language":"de-AT"`, `"screen":"1920x1080"`, `"props":{"a":"1","b":"2"}`, `"props":{"b":"1","a":"2"}`, `"props":{"a":1,"b":"\n"}`, `"props":{}`,
				`"client_id":"c"`, `"interactive":true`, `"revenue":{"amount":1.5,"currency":"EUR"}`, `"referrer" : "x"`, `"screen":"1x1" `, `"id":"i2"`))
		}
		rng.Shuffle(len(fields), func(i, k int) { fields[i], fields[k] = fields[k], fields[i] })
		text := blank() + "{"
		for i, f := range fields {
			if i > 0 {
				text += ","
			}
			text += blank() + f + blank()
		}
		return text + "}" + blank()
	}
	now := event.TimeOf(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	var p protocol.Parser
	read := 0
	for n, end := 0, time.Now().Add(took); n < 2000 || time.Now().Before(end); n++ {
		var events []string
		for range 1 + rng.IntN(3) {
			events = append(events, one())
		}
		body := []byte(pick("", " ") + "[" + strings.Join(events, ",") + "]" + pick("", "\n"))
		for range rng.IntN(4) / 3 {
			body[rng.IntN(len(body))] = "\"\\,:{}[] \x00\xffa"[rng.IntN(12)]
		}
		body = body[:len(body)-rng.IntN(4)/3*rng.IntN(len(body))]
		trusted := rng.IntN(2) == 0
		own := append(bytes.Clone(body), `"}]:,""x"`...)[:len(body)]
		p.Reset()
		r := reader{&p, trusted, now}
		inputs, err := r.read(p.BeginIn(own), own)
		w := reader{&protocol.Parser{}, trusted, now}
		want, wantErr := w.read(w.Begin([]byte("!")), body) // which is no JSON, so that it is read as a whole
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() || !bytes.Equal(own, body) {
			t.Fatalf("%q: %d events, %v; as a whole %d, %v; has become %q", body, len(inputs), err, len(want), wantErr, own)
		}
		if err != nil {
			continue
		}
		read++
		if len(body) > 0 && body[0] != '{' { // lines are read as a whole in any case
			sameWhole(t, inputs, body, trusted, now)
		}
		protocoltest.CheckInputs(t, inputs, trusted, now)
	}
	t.Logf("%d were read", read)
}
