package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// fullEvent has every field set.
func fullEvent() Event {
	return Event{
		ID: "b-1", Site: "a.example", Name: Pageview, Time: 1_714_521_600_123, Received: 1_714_521_600_124,
		Visitor: 0x0123456789abcdef, VisitorPrev: 0xfedcba9876543210, URL: "https://a.example/?q=\"é\"&r=\\",
		Referrer: "https://b.example/\n", UA: "Mozilla/5.0 (\t𝄞)", Language: "de-DE", Screen: "1920x1080",
		Country: "DE", Region: "BE", City: "2950159", Props: []Prop{{"a\"", "1"}, {"b", ""}, {"é", "\x01"}},
		Amount: -125_000, Currency: "EUR", NonInteractive: true, Client: "v1.server", Bot: "ua",
		Ping: true, Engaged: 12_345, Scroll: PercentOf(0), HashRoute: true,
	}
}

// envelopeOf joins the texts of events to an envelope of the encoder's.
func envelopeOf(events ...string) string {
	return string(AppendEnvelope(nil, "c1", 5, []byte(strings.Join(events, ","))))
}

// sameWays fails unless the fast way, where it reads the record, gives what the general one gives. It says whether it
// did read it.
func sameWays(t testing.TB, record []byte) bool {
	t.Helper()
	if !utf8.Valid(record) {
		return false // a Decoder refuses it before
	}
	var a, b Decoder
	var fast, general Envelope
	in := bytes.Clone(record)
	ok := a.fast.envelope(in, &fast)
	if !bytes.Equal(in, record) {
		t.Fatalf("%q was written to", record)
	}
	if !ok {
		return false
	}
	clear(in) // what was read lives in the decoder
	if err := b.general(record, &general); err != nil {
		t.Fatalf("%q was read in the fast way; the general one says: %v", record, err)
	}
	if got, want := fmt.Sprintf("%#v", fast), fmt.Sprintf("%#v", general); got != want {
		t.Fatalf("%q\nfast    %s\ngeneral %s", record, got, want)
	}
	return true
}

// TestFastReadsTheEncoder: whatever the encoder writes is read in the fast way, else it could stop being used without
// a test's notice.
func TestFastReadsTheEncoder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var texts []string
		for _, e := range rapid.SliceOfN(rapid.Custom(anyEvent), 0, 5).Draw(rt, "events") {
			texts = append(texts, string(e.Append(nil)))
		}
		if record := envelopeOf(texts...); !sameWays(t, []byte(record)) {
			rt.Fatalf("not read in the fast way: %s", record)
		}
	})
	if !sameWays(t, page100(1)) {
		t.Error("the benchmark's record is not read in the fast way")
	}
}

// shuffled writes the object of a JSON text again with its keys in another order, and with white space.
func shuffled(t testing.TB, r *rand.Rand, object []byte, space string) string {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		t.Fatal(err)
	}
	var parts []string
	for k, v := range fields {
		key, _ := json.Marshal(k)
		parts = append(parts, string(key)+space+":"+space+string(v))
	}
	slices.Sort(parts) // a map's order is not the seed's
	r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return "{" + space + strings.Join(parts, space+","+space) + space + "}"
}

func TestFastReadsAnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	e := fullEvent()
	for i, v := 0, reflect.ValueOf(e); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("the full event has no %s", v.Type().Field(i).Name)
		}
	}
	for range 200 {
		for _, space := range []string{"", " ", "\r\n\t "} {
			event := shuffled(t, r, e.Append(nil), space)
			record := space + shuffled(t, r, []byte(envelopeOf(event, event)), space) + space
			if !sameWays(t, []byte(record)) {
				t.Fatalf("not read in the fast way: %s", record)
			}
		}
	}
}

// oddities are members of an event (or what stands in their place) on the border of what the fast way reads, and whether it does.
var oddities = []struct {
	member string
	fast   bool
}{
	{`"id":""`, true},
	{`"id":"a","id":"b"`, false},
	{`"x":1`, false},
	{`"i":"a"`, false},
	{`"idd":"a"`, false},
	{`"\u0069d":"a"`, false},
	{`"id":null`, false},
	{`"id":5`, false},
	{`"id":"\b\f\n\r\t\/\"\\"`, true},
	{`"id":"\u00e9\u20AC\u0000x"`, true},
	{`"id":"\ud834\udd1e!"`, true},
	{`"id":"\ud834"`, false},
	{`"id":"\udd1e\ud834"`, false},
	{`"id":"\ud834\u0041"`, false},
	{`"id":"\ud834\n"`, false},
	{`"id":"\ud834\ud834"`, false},
	{`"id":"\ud834\ndd1e"`, false},
	{`"id":"\ud834/udd1e"`, false},
	{`"id":"\x"`, false},
	{`"id":"\u12"`, false},
	{`"id":"\u12g4"`, false},
	{`"id":"\u+123"`, false},
	{"\"id\":\"a\nb\x00c\"", true},
	{`"id":"12345678é90"`, true},
	{"\"id\":\"\xff\"", false},
	{"\"id\":\"\\n\xff\"", false},
	{"\"id\":\"\\n\u00e9\"", true},
	{`"id":"1234567"`, true},
	{`"id":"12345678"`, true},
	{`"id":"123456\n"`, true},
	{`"id":"1234567\n"`, true},
	{`"received":0`, true},
	{`"received":007`, true},
	{`"received":7258118399999`, true},
	{`"received":7258118400000`, false},
	{`"received":000000000000007`, true},
	{`"received":0000000000000007`, false},
	{`"received":99999999999999999999`, false},
	{`"received":12345678`, true},
	{`"received":1234567:`, false},
	{`"received":1234567/`, false},
	{`"received":?2345678`, false},
	{`"received":1234p678`, false},
	{`"received":-1`, false},
	{`"received":-0`, false},
	{`"received":+1`, false},
	{`"received":1.0`, false},
	{`"received":1e3`, false},
	{`"received":NaN`, false},
	{`"received":`, false},
	{`"received":"1"`, false},
	{`"visitor":""`, true},
	{`"visitor":"f"`, true},
	{`"visitor":"00000000000000FF"`, true},
	{`"visitor":"ffffffffffffffff"`, true},
	{`"visitor":"fffffffffffffff\u0066"`, true},
	{`"visitor":"fffffffffffffffg"`, false},
	{`"visitor":"00000000000000001"`, false},
	{`"visitor":"0x1"`, false},
	{`"visitor":5`, false},
	{`"props":{}`, true},
	{`"props":{ }`, true},
	{`"props":{"a":"1","a":"2","":""}`, true},
	{`"props":{"\u0061":"1","a":"2"}`, true},
	{`"props":{"a":1}`, false},
	{`"props":{"a":"1",}`, false},
	{`"props":[]`, false},
	{`"props":null`, false},
	{`"revenue":{"amount":"1.5","currency":"EUR"}`, true},
	{`"revenue":{"currency":"EUR","amount":"-1.00005"}`, true},
	{`"revenue":{"amount":"99999999999999"}`, true},
	{`"revenue":{"amount":"100000000000000"}`, false},
	{`"revenue":{"currency":"EUR"}`, false},
	{`"revenue":{}`, false},
	{`"revenue":{"amount":1}`, false},
	{`"revenue":{"amount":"1","amount":"2"}`, false},
	{`"revenue":{"amount":"1","tax":"2"}`, false},
	{`"non_interactive":true`, true},
	{`"non_interactive": false`, true},
	{`"non_interactive":tru`, false},
	{`"non_interactive":1`, false},
	{`"non_interactive":null`, false},
	{`"ping":true,"engaged":12,"scroll":0`, true},
	{`"scroll":100`, true},
	{`"scroll":101`, false},
	{`"engaged":1.5`, false},
	{`"hash":true`, true},
	{`"bot":"a",`, false},
	{``, false},
	{`"bot":"a" "url":"b"`, false},
	{`"bot""a"`, false},
	{`"bot":'a'`, false},
	{"\"bot\":\v\"a\"", false},
	{"\"bot\":\u00a0\"a\"", false},
}

func TestFastKnowsItsLimits(t *testing.T) {
	for _, o := range oddities {
		if got := sameWays(t, []byte(oddRecord(o.member))); got != o.fast {
			t.Errorf("%s: read in the fast way: %t", o.member, got)
		}
	}
	f := func(record string, want bool) {
		t.Helper()
		if got := sameWays(t, []byte(record)); got != want {
			t.Errorf("%q: read in the fast way: %t", record, got)
		}
	}
	const event = `{"site":"a","name":"x","ts":1}`
	f(envelopeOf(event), true)
	f(envelopeOf(event, event), true)
	f(envelopeOf(), true)
	f(` {"v":1,"low":0,"events":[ ] , "collector":"c"}`+"\n", true)
	f(envelopeOf(event)+"{", false)
	f(envelopeOf(event)+"\x00", false)
	f(envelopeOf(event)+`"`, false)
	f(envelopeOf(event, ""), false)
	f(envelopeOf("[]"), false)
	f(envelopeOf(`{"site":"a","name":"x"}`), false)
	f(envelopeOf(`{"site":"a","name":"x","ts":0}`), false)
	f(envelopeOf(`{"site":"a","name":"","ts":1}`), false)
	f(envelopeOf(`{"site":"A","name":"x","ts":1}`), false)
	f(envelopeOf(`{"name":"x","ts":1}`), false)
	f(`{"v":2,"collector":"c","low":1,"events":[]}`, false)
	f(`{"v":1,"collector":"","low":1,"events":[]}`, false)
	f(`{"v":1,"low":1,"events":[]}`, false)
	f(`{"v":1,"collector":"c","events":[]}`, false)
	f(`{"v":1,"collector":"c","low":1}`, false)
	f(`{"v":1,"collector":"c","low":1,"events":[],"v":1}`, false)
	f(`{"v":1,"collector":"c","low":1,"events":[],"new":{}}`, false)
	f("", false)
	f("[]", false)
}

func oddRecord(member string) string {
	key, _, _ := strings.Cut(member, ":")
	event := `{"site":"a","name":"x","ts":1`
	for _, k := range []string{`"site"`, `"name"`, `"ts"`} {
		if key == k {
			panic("BUG: the record has " + k + " already")
		}
	}
	return envelopeOf(event+"}", event+","+member+"}")
}

// TestFastEndsWhereTheRecordEnds cuts records at every byte: whatever lies behind in memory is not theirs.
func TestFastEndsWhereTheRecordEnds(t *testing.T) {
	e := fullEvent()
	record := []byte(envelopeOf(string(e.Append(nil)), `{"site":"a","ts":1,"name":"\ud834\udd1e\""}`))
	if !sameWays(t, record) {
		t.Fatalf("not read in the fast way: %s", record)
	}
	for n := range record {
		if sameWays(t, record[:n]) {
			t.Errorf("%q was read in the fast way", record[:n])
		}
	}
	tails := []string{`"`, `\`, `"\`, `\"`, `\u`, `\ud834`, `\ud834\`, `\ud834\u`, `\ud834\udd1`, `"}`, `"}]}`, `{`, `t`, `f`, `:`, `,`}
	for n := range record {
		for _, tail := range tails {
			sameWays(t, append(record[:n:n], tail...))
		}
	}
}

// TestFastOnDamage puts tokens of JSON in the place of others at random: what comes out is nearer to the border than a
// fuzzer's bytes.
func TestFastOnDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	e := fullEvent()
	record := envelopeOf(string(e.Append(nil)), `{"site":"a","name":"x","ts":1}`, `{"site":"b","name":"y","ts":2,"props":{}}`)
	tokens := regexp.MustCompile(`"(\\.|[^"\\])*"|[0-9]+|[a-z]+|.`).FindAllString(record, -1)
	vocabulary := append(slices.Clone(tokens), "", " ", "\n", `""`, `"\u0061"`, `"\ud834\udd1e"`, `"\ud834"`, `"\"`, `\`, "-", "0", "007",
		"7258118400000", "1e3", "null", "false", "[]", "{}", `"id"`, "é", "\x00", `"0123456789abcdeF"`, `"1.5"`)
	read := 0
	for range 20_000 {
		damaged := slices.Clone(tokens)
		for range 1 + r.IntN(2) {
			damaged[r.IntN(len(damaged))] = vocabulary[r.IntN(len(vocabulary))]
		}
		if sameWays(t, []byte(strings.Join(damaged, ""))) {
			read++
		}
	}
	if read < 1000 || read > 19_000 {
		t.Errorf("%d of 20,000 were read in the fast way: the damage is too great or too small to tell", read)
	}
}

// TestFastForgets: a record leaves nothing behind for the next, whichever way each was read.
func TestFastForgets(t *testing.T) {
	e := fullEvent()
	full, bare := envelopeOf(string(e.Append(nil))), envelopeOf(`{"site":"a","name":"x","ts":1}`)
	odd := strings.Replace(bare, `"ts"`, `"new":0,"ts"`, 1)
	var d Decoder
	var got Envelope
	for _, record := range []string{full, bare, full, odd, full, `{"v":1,"events":[{"url":"x`, bare, odd} {
		err := d.Decode([]byte(record), &got)
		var fresh Decoder
		var want Envelope
		wantErr := fresh.general([]byte(record), &want)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%s:\ngot  %+v %v\nwant %+v %v", record, got, err, want, wantErr)
		}
	}
}

func TestFastDoesNotAllocate(t *testing.T) {
	record := page100(1)
	var d Decoder
	var env Envelope
	if n := testing.AllocsPerRun(20, func() {
		if d.Decode(record, &env) != nil {
			t.Error("not read")
		}
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func FuzzFast(f *testing.F) {
	e := fullEvent()
	full := string(e.Append(nil))
	f.Add([]byte(envelopeOf(full, full)))
	f.Add([]byte(envelopeOf()))
	r := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		f.Add([]byte(shuffled(f, r, []byte(envelopeOf(shuffled(f, r, []byte(full), " "))), "\n")))
	}
	for _, o := range oddities {
		f.Add([]byte(oddRecord(o.member)))
	}
	for n := range full {
		f.Add([]byte(envelopeOf(full)[:n]))
	}
	f.Fuzz(func(t *testing.T, record []byte) { sameWays(t, record) })
}
