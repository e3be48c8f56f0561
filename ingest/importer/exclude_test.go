package importer

import (
	"bytes"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"millrace/internal/site"
)

// TestExclude: what a site does not count is left out of its access log, and counted by the
// collector's reasons; what is left out is a part of what identifies the import.
func TestExclude(t *testing.T) {
	const when = ` - - [10/Oct/2023:13:55:36 +0000] "GET `
	line := func(client, target string) string {
		return client + when + target + ` HTTP/1.1" 200 5 "-" "Mozilla/5.0"` + "\n"
	}
	log := line("192.0.2.1", "/") + line("192.0.2.1", "/admin/x?y=1") + line("198.51.100.7", "/") + line("198.51.100.7", "/admin/x") +
		line("www.shop.example:443 192.0.2.1", "/") + line("blog.example:443 192.0.2.1", "/") + line("host.example", "/ADMIN/") +
		line("2001:db8::7", "/a.css")
	of := func(change func(*site.Site)) *site.Site {
		s := &site.Site{ID: "shop.example"}
		change(s)
		return s
	}
	page := site.Page{Path: "/admin/x"}
	addresses := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	digests := map[string]string{}
	f := func(name string, change func(*site.Site), want int, skipped map[string]int64) {
		t.Helper()
		file := mustFile(t, "log", Combined, []byte(log))
		file.Exclude(of(change))
		r, ids, _ := read(t, file, "shop.example")
		skipped["asset"] = 1
		if got := r.Summary().Skipped; len(ids) != want || !maps.Equal(got, skipped) {
			t.Errorf("%s: %d events, want %d; skipped %v, want %v", name, len(ids), want, got, skipped)
		}
		digest := string(file.Digest("shop.example"))
		if other, ok := digests[digest]; ok {
			t.Errorf("%s is taken for the import of %s", name, other)
		}
		digests[digest] = name
	}
	f("nothing", func(*site.Site) {}, 7, map[string]int64{})
	f("addresses", func(s *site.Site) { s.ExcludedAddresses = addresses }, 5, map[string]int64{SkipAddress: 2})
	f("paths", func(s *site.Site) { s.ExcludedPaths = []site.Page{page} }, 5, map[string]int64{SkipPath: 2})
	f("hosts", func(s *site.Site) { s.Hostnames = []site.Host{{Name: "shop.example"}} }, 6, map[string]int64{SkipHostname: 1})
	f("all", func(s *site.Site) {
		s.ExcludedAddresses, s.ExcludedPaths, s.Hostnames = addresses, []site.Page{page, {Path: "/admin"}}, []site.Host{{Name: "shop.example"}}
		s.Spelling = site.Spelling{Lower: true, CutSlash: true}
	}, 2, map[string]int64{SkipAddress: 2, SkipPath: 2, SkipHostname: 1})

	plain := mustFile(t, "log", Combined, []byte(log))
	digest := plain.Digest("shop.example")
	plain.Exclude(of(func(s *site.Site) { s.Spelling.Lower = true })) // changes no line
	if !bytes.Equal(plain.Digest("shop.example"), digest) {
		t.Error("a site that leaves nothing out has imports of their own")
	}
	events := mustFile(t, "events", Events, []byte(strings.Split(ndjson, "\n")[0]+"\n"))
	events.Exclude(of(func(s *site.Site) { s.ExcludedAddresses = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")} }))
	if _, ids, _ := read(t, events, ""); len(ids) != 1 {
		t.Errorf("%d events of a file of events", len(ids))
	}
}
