package matomo

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// sites has one site with a token.
type sites struct{}

func (sites) Configured(site string) bool         { return site == "a.example" }
func (sites) ConfiguredWWW(string) (string, bool) { return "", false }
func (sites) Any() bool                           { return false }
func (sites) Token(token string) (string, bool)   { return "a.example", token == "7" }
func (sites) Currency(string) string              { return "EUR" }

const now event.Time = 1_772_600_767_000 // 2026-03-04T05:06:07Z

// TestID: what the script sends again in another way has the same id, another hit has another, and
// so it is with hits that the script did not make.
func TestID(t *testing.T) {
	id := func(query string) string {
		t.Helper()
		var args fasthttp.Args
		args.Parse(query)
		var p protocol.Parser
		rd := reader{Parser: &p, sites: sites{}, now: now}
		rd.hit.reset()
		rd.hit.setAll(&args)
		if err := rd.add(); err != nil {
			t.Fatal(err)
		}
		return p.Inputs()[0].ID
	}
	const hit = "e_c=a&e_a=b&idsite=7&rec=1&r=461082&h=11&m=40&s=24&_id=d6dc5be9e54b0634"
	first := id(hit + "&send_image=0")
	if len(first) > protocol.MaxID || first == "" {
		t.Errorf("the id %q", first)
	}
	for _, again := range []string{hit + "&send_image=1", hit, hit + "&cdo=60&token_auth=x"} {
		if got := id(again); got != first {
			t.Errorf("%s: %q, want %q", again, got, first)
		}
	}
	for _, other := range []string{
		"e_c=a&e_a=c&idsite=7&rec=1&r=461082&h=11&m=40&s=24&_id=d6dc5be9e54b0634",
		"e_c=a&e_a=b&idsite=7&rec=1&r=461083&h=11&m=40&s=24&_id=d6dc5be9e54b0634",
	} {
		if got := id(other); got == first || got == "" {
			t.Errorf("%s: %q", other, got)
		}
	}
	for _, static := range []string{"idsite=7&rec=1", "idsite=7&rec=1&rand=5&r=5", "idsite=7&rec=1&r=461082&h=11&m=40&s=24&_id="} {
		if got := id(static); got != "" {
			t.Errorf("%s: %q", static, got)
		}
	}
}

// TestRevenue: amounts are in the currency of the site.
func TestRevenue(t *testing.T) {
	f := func(query, amount, prop, adjusted string) {
		t.Helper()
		var args fasthttp.Args
		args.Parse("idsite=7&rec=1&" + query)
		var p protocol.Parser
		rd := reader{Parser: &p, sites: sites{}, now: now}
		rd.hit.reset()
		rd.hit.setAll(&args)
		if err := rd.add(); err != nil {
			t.Fatal(err)
		}
		in := &p.Inputs()[0]
		got := ""
		if in.Currency != "" {
			got = in.Amount.String() + " " + in.Currency
		}
		kept := ""
		for _, p := range in.Props {
			if p.Key == "revenue" {
				kept = p.Value
			}
		}
		if got != amount || kept != prop || p.Adjusted().String() != adjusted {
			t.Errorf("%s: %q, property %q, adjusted %q", query, got, kept, p.Adjusted())
		}
	}
	f("idgoal=4&revenue=9.5", "9.5 EUR", "", "")
	f("idgoal=0&ec_id=1&revenue=110", "110 EUR", "", "")
	f("idgoal=0&revenue=100", "", "100", "")
	f("revenue=100", "", "100", "")
	f("idgoal=4&revenue=much", "", "much", "revenue")
	f("idgoal=4", "", "", "")
}

// TestTime: what cdt may be.
func TestTime(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got := "no time"
		if at, ok := parseTime(text); ok {
			got = at.Std().Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	f("1772600767", "2026-03-04T05:06:07Z")
	f("2026-03-04 05:06:07", "2026-03-04T05:06:07Z")
	f("-1", "1969-12-31T23:59:59Z")
	f("2026-03-04", "no time")
	f("yesterday", "no time")
	f("", "no time")
}

// FuzzRead: any query and any bulk gives an error that names something, or events that survive the
// way through the topic.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"", "idsite=7&rec=1", "idsite=7&rec=0",
		"idsite=8&rec=1&url=https://www.a.example/%ff&res=1x1&lang=de,en&action_name=%00",
		"rec=1&url=https://a.example/&r=1&h=1&m=1&s=1&_id=1&ping=1",
		"idsite=7&rec=1&e_c=a&e_a=%01pageview&e_v=1.5&dimension1=x&cvar={\"1\":[\"a\",\"b\"],\"2\":[3,true]}&e_cvar=[[\"\",1]]&_cvar=5",
		"idsite=7&rec=1&idgoal=0&ec_id=1&revenue=5&ec_items=[]", "idsite=7&rec=1&idgoal=-9999999999999999999",
		"idsite=7&rec=1&cip=1.2.3.4&cdt=5", "amp;idsite=7&amp;rec=1&ca=1",
	} {
		f.Add([]byte(text), false)
		f.Add([]byte(text), true)
	}
	for _, body := range []string{
		`{"requests":["?idsite=7&rec=1&url=https://a.example/","?rec=1","x",5,{"idsite":7,"rec":1,"cvar":{"1":["a","b"]}}],"send_image":0}`,
		`{"requests":[]}`, `{"requests":{}}`, `{"a":"requests"}`, `{"a":{"requests":[]}}`, `{"requests":["?`, `{"requests":["?rec=1&idsite=7\u0000"]}`,
	} {
		f.Add([]byte(body), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, trusted bool) {
		r := &protocol.Request{Sites: sites{}, Now: now, Trusted: trusted}
		rd := reader{Parser: &r.Parser, sites: r.Sites, trusted: trusted, now: now}
		if isBulk(text) {
			inputs, ref := readBulk(r, &rd, text)
			check(t, text, inputs, ref, trusted)
			return
		}
		var args fasthttp.Args
		args.ParseBytes(text)
		rd.hit.reset()
		rd.hit.setAll(&args)
		var ref *protocol.Refusal
		if err := rd.add(); err != nil {
			ref = refusal(err)
		}
		check(t, text, r.Parser.Inputs(), ref, trusted)
	})
}

func check(t *testing.T, text []byte, inputs []protocol.Input, ref *protocol.Refusal, trusted bool) {
	t.Helper()
	switch {
	case ref != nil:
		protocoltest.CheckError(t, text, &protocol.FieldError{Path: ref.Path, Msg: ref.Msg})
	case len(inputs) > 0:
		protocoltest.CheckInputs(t, inputs, trusted, now)
	}
}
