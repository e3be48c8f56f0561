package ingest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
)

// TestTrackerSecrets: a tracker's secret that is a write key makes its sender trusted, for the sites of the key; another one, and one
// that a page sends, makes nobody trusted and is no error.
func TestTrackerSecrets(t *testing.T) {
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(policyKey)))
	c := mustOpen(t, mustCluster(t), func(o *Options) {
		o.SetSites(mustSites(t, `{sites: {a.example: {aliases: [7, G-1, token], write_keys: ["sha256:`+hash+`"]}, b.example: {aliases: [8]}}}`))
	})
	f := func(status int, trusted bool, method, uri, body string, headers ...string) {
		t.Helper()
		res := call(c, outside, method, uri, body, append(headers, "X-Millrace-Debug", "1")...)
		var answer debugAnswer
		if res.StatusCode() == 200 {
			if err := json.Unmarshal(res.Body(), &answer); err != nil {
				t.Fatalf("%v: %s", err, res.Body())
			}
		}
		if res.StatusCode() != status || answer.Trusted != trusted {
			t.Errorf("%s %q: %d %s; want %d, trusted %v", uri, headers, res.StatusCode(), res.Body(), status, trusted)
		}
	}
	basic := func(user string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":")) }
	const mp = `{"client_id":"1","events":[{"name":"buy","params":{"page_location":"https://a.example/"}}]}`
	f(200, true, "POST", "/mp/collect?measurement_id=G-1&api_secret="+policyKey, mp)
	f(403, false, "POST", "/mp/collect?measurement_id=G-1&api_secret=another", mp)
	f(403, false, "POST", "/mp/collect?measurement_id=G-1&api_secret="+policyKey, mp, "Origin", "https://a.example")
	f(403, false, "POST", "/g/collect?tid=G-1&en=page_view&dl=https://a.example/&api_secret="+policyKey, "")
	f(200, true, "GET", "/matomo.php?idsite=7&rec=1&url=https%3A%2F%2Fa.example%2F&token_auth="+policyKey, "")
	f(403, false, "GET", "/matomo.php?idsite=8&rec=1&url=https%3A%2F%2Fb.example%2F&token_auth="+policyKey, "") // the key is of another site
	f(200, true, "POST", "/v1/track", `{"event":"buy","context":{"page":{"url":"https://a.example/"}}}`, "Authorization", basic(policyKey))
	f(403, false, "POST", "/v1/track", `{"event":"buy","writeKey":"token"}`, "Authorization", basic("token"))

	// A secret in a body comes too late for the debug header. What it gives is the address.
	g := func(want int, token string) {
		t.Helper()
		body := `{"requests":["?idsite=7&rec=1&url=https%3A%2F%2Fa.example%2F&cip=8.8.8.8"],"token_auth":"` + token + `"}`
		if res := call(c, outside, "POST", "/matomo.php", body); res.StatusCode() != want {
			t.Errorf("%d %s, want %d", res.StatusCode(), res.Body(), want)
		}
	}
	g(200, policyKey)
	g(400, "another")
	if res := call(c, outside, "POST", "/matomo.php", `{"requests":["?idsite=8&rec=1&url=https%3A%2F%2Fb.example%2F"],"token_auth":"`+policyKey+`"}`); res.StatusCode() != 403 {
		t.Errorf("the key of another site: %d %s", res.StatusCode(), res.Body())
	}
}
