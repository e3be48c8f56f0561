package arrivals

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"millrace/engine/event"
	"millrace/ingest/protocol"
)

func get(l *Log, target string, headers ...string) (int, string) {
	req := httptest.NewRequest("GET", target, nil)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	l.ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

// TestNothingPersonal: what says who has sent something is not kept.
func TestNothingPersonal(t *testing.T) {
	l := New()
	l.Add(&Entry{At: 1000, Protocol: "v1", Path: "/v1/events", Outcome: Stored, Events: 2, Site: "a.example", Name: "pageview",
		URL: "https://secretuser:secretword@a.example/page?token=secret#secret"})
	l.Add(&Entry{At: 2000, Protocol: "v1", Path: "/v1/events", Outcome: Refused, Reason: string(protocol.ReasonInvalid), Status: 400,
		Field: "ip", Message: `"203.0.113.secret" is no address, nor is "secret" one`})
	l.Add(&Entry{At: 3000, Protocol: "ga4", Path: "/g/collect", Outcome: Refused, Reason: string(protocol.ReasonSite), Status: 400,
		Field: "tid", Message: `"G-123" is no token of a site`})
	// The parser quotes what is no JSON, and the quotes in it, and the message is cut.
	var parser protocol.Parser
	for _, body := range []string{
		`{"site":"a.example" "props":{"mail":"secret","x":"secretsecretsecretsecretsecretsecretsecretsecretsecretsecret"}}`,
		`{"a":"b","""""""""""""""""""""""""""""""""secretsecretsecretsecretsecretsecretsecretsecret`,
		`{"a":"secret`,
	} {
		_, err := parser.Document([]byte(body))
		l.Add(&Entry{At: 2500, Protocol: "v1", Path: "/v1/events", Outcome: Refused, Reason: string(protocol.ReasonInvalid), Status: 400, Message: err.Msg})
	}
	for _, format := range []string{"json", "text"} {
		code, text := get(l, "/arrivals?format="+format)
		for _, want := range []string{"a.example/page", "pageview", "ga4", "G-123", " one", "1970-01-01T00:00:03.000Z"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", format, want, text)
			}
		}
		if code != 200 || strings.Contains(text, "secret") || strings.Contains(text, "203.0.113") {
			t.Errorf("%d\n%s", code, text)
		}
	}
}

func TestFilters(t *testing.T) {
	l := New()
	for i := range 3 * Kept {
		l.Add(&Entry{At: event.Time(i), Protocol: "v1", Outcome: Stored, Site: fmt.Sprintf("s%d.example", i%2), Name: "x", Events: 1})
	}
	l.Add(&Entry{At: 5, Protocol: "ga4", Outcome: Dropped, Reason: "path", Site: "s1.example", Events: 1})
	f := func(query string, want int, first string) {
		t.Helper()
		_, text := get(l, "/arrivals?"+query, "Accept", "application/json")
		var got struct {
			Arrivals []struct{ At, Site, Reason string }
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || len(got.Arrivals) != want || want > 0 && got.Arrivals[0].At != first {
			t.Errorf("%s: %d entries, %v\n%.200s", query, len(got.Arrivals), err, text)
		}
	}
	f("", Kept+1, "1970-01-01T00:00:02.999Z")
	f("site=s0.example", Kept/2, "1970-01-01T00:00:02.998Z")
	f("site=s1.example&reason=path", 1, "1970-01-01T00:00:00.005Z")
	f("protocol=ga4", 1, "1970-01-01T00:00:00.005Z")
	f("outcome=refused", 0, "")
	if code, text := get(l, "/arrivals?sites=x"); code != 400 || !strings.Contains(text, `no parameter "sites", only site, protocol`) {
		t.Errorf("%d %s", code, text)
	}
	if code, text := get(New(), "/arrivals"); code != 200 || !strings.HasPrefix(text, "nothing has arrived") {
		t.Errorf("%d %s", code, text)
	}
}

func TestCut(t *testing.T) {
	l := New()
	long := strings.Repeat("é", 1000)
	e := Entry{Outcome: Dropped, Site: long, Name: "a" + long, URL: long, Field: long, Message: long}
	if n := testing.AllocsPerRun(100, func() { l.Add(&e) }); n > 0 {
		t.Errorf("an entry allocates %v times", n)
	}
	got := l.Last(Filter{})[0]
	if len(got.Site) != mostSite || len(got.Name) != mostName-1 || len(got.URL) != mostPage || len(got.Field) != mostField || len(got.Message) != mostMessage {
		t.Errorf("%+v", got)
	}
	e.Message = `a "` + long + `" ` + long
	l.Add(&e)
	if got := l.Last(Filter{})[0].Message; !strings.HasPrefix(got, `a "…" é`) || len(got) > mostMessage {
		t.Errorf("%q", got)
	}
}

// TestTogether is for the race detector.
func TestTogether(t *testing.T) {
	l := New()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 2 * Kept {
				l.Add(&Entry{Outcome: []string{Stored, Refused}[i%2], Site: strings.Repeat("x", i+1), Name: fmt.Sprint(i)})
			}
		})
	}
	for range 5 {
		for _, e := range l.Last(Filter{}) {
			if fmt.Sprint(len(e.Site)-1) != e.Name {
				t.Fatalf("%+v", e)
			}
		}
	}
	wg.Wait()
}

func BenchmarkAdd(b *testing.B) {
	l := New()
	e := Entry{Protocol: "v1", Outcome: Stored, Site: "shop.example.com", Name: "pageview", URL: "https://shop.example.com/blog/2026/a-page?x=y", Events: 1}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Add(&e)
		}
	})
}
