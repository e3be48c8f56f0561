package v1

import (
	"fmt"
	"strings"
	"testing"

	"millrace/ingest/protocol"
)

// TestLimits: what is too long or too much to stand in a script.
func TestLimits(t *testing.T) {
	var p protocol.Parser
	f := func(body, want string) {
		t.Helper()
		_, err := Parse(&p, []byte(body), false, 0)
		if got := fmt.Sprint(err); got != want {
			t.Errorf("%.100s:\ngot  %s\nwant %s", body, got, want)
		}
	}
	with := func(field, value string) string {
		return `{"site":"a.example","name":"x","` + field + `":"` + value + `"}`
	}
	const one = `{"site":"a.example","name":"x"}`
	f(with("url", "https://a/"+strings.Repeat("x", 4086)), "<nil>")
	f(with("url", "https://a/"+strings.Repeat("x", 4087)), "url: is 4097 bytes long, at most 4096 are allowed")
	f(with("id", strings.Repeat("x", 64)), "<nil>")
	f(with("id", strings.Repeat("x", 65)), "id: is 65 bytes long, at most 64 are allowed")
	f(with("referrer", "https://x/\xff"), "referrer: is not valid UTF-8")
	f("["+strings.Repeat(one+",", 999)+one+"]", "<nil>")
	f("["+strings.Repeat(one+",", 1000)+"{}]", "1001 events, at most 1000 are allowed in a request")
	f(strings.Repeat(one+"\n", 1000), "<nil>")
	f(strings.Repeat(one+"\n", 1001), "more than 1000 events, which is the most that are allowed in a request")
	f(" \n ", "the body is empty")
	props := strings.TrimSuffix(strings.Repeat(`"k":1,`, 31), ",")
	f(`{"site":"a.example","name":"x","props":{`+props+`}}`, "props: 31 properties, at most 30 are allowed")
}
