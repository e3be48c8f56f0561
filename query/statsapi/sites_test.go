package statsapi

import (
	"crypto/sha256"
	"encoding/json"
	"testing"

	"millrace/internal/site"
)

// TestSites: a key is shown the sites that it opens, page by page.
func TestSites(t *testing.T) {
	all := []SiteInfo{{ID: "c.example", TimeZone: "Asia/Tokyo"}, {ID: "a.example", TimeZone: "Europe/Berlin", Currency: "EUR", RetentionDays: 400}, {ID: "b.example", TimeZone: "UTC"}}
	s := mustServer(t, testOptions{Reader: &memory{}, Keys: site.NewKeys(
		site.Key{Hash: sha256.Sum256([]byte("some")), Sites: []string{"a.example", "c.example"}},
		site.Key{Hash: sha256.Sum256([]byte("gone")), Sites: []string{"x.example"}},
		site.Key{Hash: sha256.Sum256([]byte("all"))},
	)})
	s.opts.Sites = func() []SiteInfo { return all }
	f := func(query, auth string, status int, want string) {
		t.Helper()
		resp := do(s, "GET", PathSites+query, "", "Authorization", auth)
		if got := string(resp.Body()); resp.StatusCode() != status || status == 200 && got != want+"\n" {
			t.Errorf("%s %q: %d %s, want %d %s", query, auth, resp.StatusCode(), got, status, want)
		}
	}
	const a, b, c = `{"domain":"a.example","timezone":"Europe/Berlin","currency":"EUR","retention_days":400}`, `{"domain":"b.example","timezone":"UTC"}`,
		`{"domain":"c.example","timezone":"Asia/Tokyo"}`
	f("", "Bearer some", 200, `{"sites":[`+a+","+c+`],"meta":{"after":null,"before":null,"limit":100}}`)
	f("?limit=2", "Bearer all", 200, `{"sites":[`+a+","+b+`],"meta":{"after":"b.example","before":null,"limit":2}}`)
	f("?limit=2&after=b.example", "Bearer all", 200, `{"sites":[`+c+`],"meta":{"after":null,"before":null,"limit":2}}`)
	f("?limit=3", "Bearer all", 200, `{"sites":[`+a+","+b+","+c+`],"meta":{"after":null,"before":null,"limit":3}}`)
	f("", "Bearer gone", 401, "")
	f("", "Bearer wrong", 401, "")
	f("", "", 401, "")
	f("?limit=0", "Bearer all", 400, "")
	f("?after=A", "Bearer all", 400, "")
	f("?before=a", "Bearer all", 400, "")

	open := mustServer(t, testOptions{Reader: &memory{}})
	if resp := do(open, "GET", PathSites, ""); resp.StatusCode() != 200 || string(resp.Body()) != `{"sites":[],"meta":{"after":null,"before":null,"limit":100}}`+"\n" {
		t.Errorf("no sites by name: %d %s", resp.StatusCode(), resp.Body())
	}
	open.opts.Sites = s.opts.Sites
	var doc schemas
	var answer any
	if err := json.Unmarshal(openAPI, &doc.doc); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(do(open, "GET", PathSites+"?limit=1", "").Body(), &answer); err != nil {
		t.Fatal(err)
	}
	if msg := doc.check(doc.find("#/components/schemas/SiteList"), answer, "sites"); msg != "" {
		t.Error(msg)
	}
}
