package site

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"millrace/engine/event"
)

const fileKey = "0123456789abcdef0123456789abcdef"

func mustWriteFile(tb testing.TB, path, text string) string {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// TestExample: the example that help and documents show is right, and has every field.
func TestExample(t *testing.T) {
	dir := t.TempDir()
	path := mustWriteFile(t, filepath.Join(dir, "sites.yaml"), Example)
	if err := os.Mkdir(filepath.Join(dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	mustWriteFile(t, filepath.Join(dir, "keys", "shop"), "# of the dashboard\n"+fileKey+"\n")
	s := mustRead(t, Config{File: path, More: []string{"demo.example"}, QueryKeys: []string{fileKey + "@giant.example.com", fileKey[1:]}})
	if got := ids(s.Named()); s.Any || got != "shop.example.com,giant.example.com,blog.example.com,demo.example" {
		t.Errorf("any: %v, named: %s", s.Any, got)
	}
	shop := s.Of("shop.example.com")
	if shop.TimeZone.String() != "Europe/Berlin" || shop.Currency != "EUR" || !shop.HonourDNT || shop.Shards != 0 ||
		!slices.Equal(shop.Tokens, []string{"G-AB12CD34EF", "7"}) {
		t.Errorf("%+v", shop)
	}
	if !shop.Quota.Limited() || shop.Quota.Refuse || !shop.TakesHost("shop.example.com") || shop.TakesHost("evil.example") || !shop.ExcludesPage("/admin/x") ||
		!shop.TakesOrigin("https://www.shop.example.com") || !shop.ExcludesAddress(netip.MustParseAddr("198.51.100.9")) || shop.Bots != BotsApart || shop.Retention != 400 {
		t.Errorf("%+v", shop.Senders)
	}
	if g := shop.Goals; len(g) != 2 || g[0].Event != "purchase" || g[1].Pattern == nil || !g[1].Pattern.Matches("/blog/a/b") {
		t.Errorf("%+v", g)
	}
	if g := shop.Segments; len(g) != 1 || g[0].ID != 1 || g[0].Name != "Phones from search" || len(g[0].Filters) != 2 {
		t.Errorf("%+v", g)
	}
	if of := s.Of("giant.example.com"); of.Shards != 16 || of.TimeZone.String() != "UTC" || of.HonourDNT {
		t.Errorf("%+v", of)
	}
	if len(s.WriteKeys) != 1 || !s.WriteKeys.Allow("test", "shop.example.com") || s.WriteKeys.Allow("test", "blog.example.com") {
		t.Errorf("%+v", s.WriteKeys)
	}
	// A key of the file and of a flag opens the sites of both.
	if len(s.QueryKeys) != 2 || !s.QueryKeys.Allow(fileKey, "shop.example.com") || !s.QueryKeys.Allow(fileKey, "giant.example.com") ||
		s.QueryKeys.Allow(fileKey, "blog.example.com") || !s.QueryKeys.Allow(fileKey[1:], "blog.example.com") {
		t.Errorf("%+v", s.QueryKeys)
	}
	doc, err := os.ReadFile("../../docs/sites.md")
	if err != nil || !strings.Contains(string(doc), "```yaml\n"+Example+"```") {
		t.Errorf("docs/sites.md does not have the example: %v", err)
	}
	for _, name := range slices.Concat(topFields, defaultFields, siteFields) {
		if !strings.Contains(string(doc), "`"+name+"`") && !strings.Contains(string(doc), "."+name+"`") && name != "defaults" {
			t.Errorf("docs/sites.md has no row for %s", name)
		}
	}
	for _, name := range slices.Concat(topFields, defaultFields, siteFields, goalFields) {
		if name != "write_keys_file" && name != "query_keys" && !strings.Contains(Example, name+": ") && !strings.Contains(Example, name+":\n") {
			t.Errorf("the example has no %s", name)
		}
	}
}

func TestFileDefaults(t *testing.T) {
	dir := t.TempDir()
	text := "sites:\n  a.example:\n  b.example: {honour_dnt: false, time_zone: Asia/Tokyo}\ndefaults: {time_zone: Europe/London, honour_dnt: true}\nany_site: true\n"
	s := mustRead(t, Config{File: mustWriteFile(t, filepath.Join(dir, "s.yaml"), text), TimeZone: "UTC"})
	f := func(id, zone string, dnt bool) {
		t.Helper()
		if of := s.Of(id); of.TimeZone.String() != zone || of.HonourDNT != dnt {
			t.Errorf("%+v", of)
		}
	}
	f("a.example", "Europe/London", true)
	f("b.example", "Asia/Tokyo", false)
	f("c.example", "Europe/London", true)
	if !s.Any || ids(s.Named()) != "a.example,b.example" || !s.Default.HonourDNT {
		t.Errorf("%+v", s)
	}
	s = mustRead(t, Config{File: mustWriteFile(t, filepath.Join(dir, "any.yaml"), "any_site: true\n")})
	if !s.Any || len(s.Named()) > 0 || s.Of("x").TimeZone.String() != "UTC" {
		t.Errorf("%+v", s)
	}
}

func TestFileRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sites.yaml")
	f := func(text string, want ...string) {
		t.Helper()
		mustWriteFile(t, path, text)
		_, err := Check(path, nil)
		if err == nil {
			t.Errorf("%q is taken", text)
			return
		}
		if strings.Contains(err.Error(), fileKey) {
			t.Errorf("%v shows a key", err)
		}
		got := strings.Split(err.Error(), "\n")
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i], path+want[i]) {
				t.Errorf("%q:\ngot  %q\nwant %q", text, got, want)
				return
			}
		}
	}
	site := func(settings string) string { return "sites:\n  a.example: {" + settings + "}\n" }
	sum := sha256.Sum256([]byte(fileKey))
	hash := `"sha256:` + hex.EncodeToString(sum[:]) + `"`

	f("", ": the file is empty; it has at least: any_site: true, or sites: {shop.example.com: {}}")
	f("# nothing\n", ": the file is empty")
	f("sites: [", ":")
	f("a: b: c\n", ":1: not YAML: mapping values are not allowed in this context; a list is written in brackets")
	f("sites:\n  a: {b: c\n  d: {}\n", ":2: not YAML: did not find expected ',' or '}'")
	f("any_site: true\n\tx: 2\n", ":2: not YAML: found a tab character that violates indentation")
	f("any_site: true\nä: \xff\n", ":2:4: not text: the byte 0xff is not UTF-8")
	f("any_site: true\x00\n", ":1:15: not text: the byte 0x00 is a control character")
	f("- a\n", ":1:1: want the keys any_site, defaults, sites, this is a list")
	f("any_site: false\n", ":1:1: names no site; write sites: {shop.example.com: {}}, or any_site: true")
	f("any_site: yes\n", `:1:11: any_site: want true or false, this is the text "yes"`)
	f("any_site: true\n---\nany_site: false\n", ":2:1: a second document begins")
	f("any_site: true\nany_site: false\n", ":2:1: any_site: is there twice, first in line 1; put both together, or remove one")
	f("a: &x 1\nb: *x\n", ":1:4: anchors (&name, *name) are not supported")
	f("any_site: true\nquotas: {}\n", ":2:1: quotas: unknown key; there are any_site, defaults, sites")
	f("any_site: true\nanysites: 1\n", ":2:1: anysites: unknown key; write any_site")
	f("any_site: true\nsites: [a.example]\n", ":2:8: sites: want a mapping of settings by site, such as {shop.example.com: {}}, this is a list")
	f("any_site: true\nsites:\n", ":2:1: sites: has no value; write one, or leave the key out")
	f("any_site: true\ndefaults: {currency: EUR}\n", ":2:12: defaults.currency: unknown key; there are time_zone, honour_dnt, identity, objections, excluded_addresses, spelling, bots, retention")
	f("sites:\n  https://A.example/: {}\n", `:2:3: sites: "https://A.example/" is a URL; write a.example`)
	f("sites:\n  A.example: {}\n", `:2:3: sites: site "A.example": `)
	f("sites:\n  a.example: {}\n  b.example: {}\n  a.example: {}\n", ":4:3: sites.a.example: is there twice, first in line 2")
	f("sites:\n  a.example: Europe/Berlin\n", `:2:14: sites.a.example: want the site's settings, such as {time_zone: Europe/Berlin}, or {}, this is the text "Europe/Berlin"`)
	f("sites:\n  [a]: {}\n", ":2:3: sites: want a key, this is a list")

	f(site("timezone: UTC"), ":2:15: sites.a.example.timezone: unknown key; write time_zone")
	for _, n := range []string{"1y", "400", "0d", "-1d", "+1d", "36501d", "1.5d", "d", "[1d]"} {
		f(site("retention: "+n), ":2:26: sites.a.example.retention: want a number of days from 1d to 36500d, such as 400d, or forever, this is ")
	}
	f(site("keep: 30d"), ":2:15: sites.a.example.keep: unknown key; write retention")
	f(site("salt: 1y"), ":2:15: sites.a.example.salt: not supported; this version obeys time_zone, currency, goals")
	f(site("trailing_slash: cut"), ":2:15: sites.a.example.trailing_slash: not supported here; it is a key of spelling")
	f(site("quotas: 5"), ":2:15: sites.a.example.quotas: unknown key; write quota")
	f(site("colour: red"), ":2:15: sites.a.example.colour: unknown key; there are time_zone, ")
	f(site("time_zone: CEST"), `:2:26: sites.a.example.time_zone: "CEST" is not a time zone`)
	f(site("time_zone: 2"), `:2:26: sites.a.example.time_zone: want a time zone such as Europe/Berlin, this is the number "2"; if`)
	f(site("currency: eur"), ":2:25: sites.a.example.currency: want an ISO 4217 code of three capitals such as EUR")
	f(site("identity: cookie"), `:2:25: sites.a.example.identity: want cookieless or client-id, this is the text "cookie"`)
	f(site("identity: {}"), `:2:25: sites.a.example.identity: want cookieless or client-id, this is a mapping`)
	f(site("objections: yes"), `:2:27: sites.a.example.objections: want cookieless, drop or ignore, this is the `)
	f(site("consent: drop"), ":2:15: sites.a.example.consent: unknown key; write objections")
	f(site("honour_dnt: 1"), `:2:27: sites.a.example.honour_dnt: want true or false, this is the number "1"`)
	for _, n := range []string{"0", "257", "many", "1.5", "[2]"} {
		f(site("shards: "+n), ":2:23: sites.a.example.shards: want a number from 1 to 256, this is ")
	}

	f(site("goals: {name: x, event: y}"), ":2:22: sites.a.example.goals: want a list such as [{name: Order, event: purchase}], this is a mapping")
	f(site("goals: [{name: x}]"), ":2:23: sites.a.example.goals[0]: has neither event nor page")
	f(site("goals: [{event: x}]"), ":2:23: sites.a.example.goals[0]: has no name")
	f(site("goals: [{name: x, event: y, page: /}]"), ":2:23: sites.a.example.goals[0]: has event and page; make it two goals")
	f(site("goals: [{name: x, url: /}]"), ":2:33: sites.a.example.goals[0].url: unknown key; write page")
	f(site("goals: [{name: 404, event: y}]"), `:2:30: sites.a.example.goals[0].name: want a text, this is the number "404"; if`)
	f(site("goals: [{name: x, page: 'https://a/'}]"), `:2:39: sites.a.example.goals[0].page: "https://a/" does not begin with`)
	f(site("goals: ["+strings.Repeat("{name: x, event: y},", MaxGoals)+"{name: x, event: y}]"), ":2:2023: sites.a.example.goals[100]: a site has at most 100 goals")

	f(site("origins: 'https://a.example'"), ":2:24: sites.a.example.origins: want a list such as [https://shop.example.com], this is the text")
	f(site("origins: ['https://a.example/x', 7]"), `:2:25: sites.a.example.origins[0]: "https://a.example/x" is no origin; write https://shop.example.com, `,
		`:2:48: sites.a.example.origins[1]: want a text, this is the number "7"; if`)
	f(site("hostnames: ['https://a.example']"), `:2:27: sites.a.example.hostnames[0]: "https://a.example" is no host; write shop.example.com, `)
	f(site("excluded_paths: [admin]"), `:2:32: sites.a.example.excluded_paths[0]: "admin" does not begin with "/" or "*"`)
	f(site("excluded_paths: ['/***']"), `:2:32: sites.a.example.excluded_paths[0]: "/***" has three stars`)
	f(site("excluded_addresses: [10.1.0.0/8]"), `:2:36: sites.a.example.excluded_addresses[0]: "10.1.0.0/8" has more than the bits of a network; write 10.0.0.0/8, or 10.1.0.0 for`)
	f(site("quota: 100"), `:2:22: sites.a.example.quota: want a mapping such as {month: 1000000, past: drop}, this is the number "100"`)
	f(site("quota: {past: drop}"), ":2:22: sites.a.example.quota: has no number of events; write hour, day or month")
	f(site("quota: {day: 0}"), `:2:28: sites.a.example.quota.day: want a number of events from 1 to 1000000000000, this is the number "0"`)
	f(site("quota: {day: 1, past: block}"), `:2:37: sites.a.example.quota.past: want drop or refuse, this is the text "block"`)
	f(site("quota: {week: 1}"), ":2:23: sites.a.example.quota.week: unknown key; there are hour, day, month, past")
	f(site("spelling: {trailing_slash: no}"), `:2:42: sites.a.example.spelling.trailing_slash: want keep or cut, this is the text "no"`)
	f(site("spelling: {index_pages: [a/index.html]}"), `:2:40: sites.a.example.spelling.index_pages[0]: "a/index.html" is no name of an index page`)
	f(site("bots: true"), `:2:21: sites.a.example.bots: want apart, count or drop, this is the truth value "true"`)
	f("any_site: true\ndefaults: {excluded_addresses: ['::/0']}\n", `:2:33: defaults.excluded_addresses[0]: "::/0" is every address`)

	f(site("aliases: []"), ":2:24: sites.a.example.aliases: want a list such as [G-AB12CD34EF, 7], this is an empty one")
	f(site("aliases: [1.5, ' a', true]"), ":2:25: sites.a.example.aliases[0]: want a text or a whole number", ":2:30: sites.a.example.aliases[1]: an alias has", ":2:36: sites.a.example.aliases[2]: want a text or")
	f("sites:\n  a.example: {aliases: [7]}\n  b.example: {aliases: ['7']}\n", `:3:25: sites.b.example.aliases[0]: "7" is an alias of a.example already, in line 2; it can`)
	f("sites:\n  a.example: {aliases: [b.example]}\n  b.example: {aliases: [b.example]}\n", ":2:25: sites.a.example.aliases: ", ":3:25: sites.b.example.aliases[0]: ")
	f("sites:\n  a.example: {aliases: [b.example]}\n  b.example: {}\n", `:2:25: sites.a.example.aliases: "b.example" is a site of this file itself`)

	f(site("write_keys: "+fileKey), ":2:27: sites.a.example.write_keys: want a list such as")
	f(site("write_keys: ["+fileKey+"]"), ":2:28: sites.a.example.write_keys[0]: the value, which is not shown, does not begin with sha256:")
	f(site("write_keys: [{"+fileKey+": 1}]"), ":2:28: sites.a.example.write_keys[0]: the value, which is not shown")
	f(site("write_keys: ['sha256:"+fileKey+"']"), ":2:28: sites.a.example.write_keys[0]: behind sha256: there are not 64 hexadecimal digits")
	f(site("query_keys: ["+hash+", "+hash+"]"), ":2:103: sites.a.example.query_keys[1]: is there twice")
	f(site("query_keys: ["+strings.TrimSuffix(hash, `"`)+`@b.example"]`), ":2:28: sites.a.example.query_keys[0]: names sites behind @")
	f(site("query_keys_file: none"), ":2:32: sites.a.example.query_keys_file: read the file, whose path is not shown: no such file or directory")
	f(site("query_keys_file: "+fileKey), ":2:32: sites.a.example.query_keys_file: read the file, whose path is not shown: ")
	f(site("query_keys_file: ["+fileKey+"]"), ":2:32: sites.a.example.query_keys_file: want the path of a file, this is a list")
	f(site("write_keys: [*"+fileKey+"]"), ":1: not YAML: a text that begins with * names an anchor")
	mustWriteFile(t, filepath.Join(filepath.Dir(path), "keys"), fileKey+"\n"+fileKey[:15]+"\n")
	f(site("query_keys_file: keys"), ":2:32: sites.a.example.query_keys_file: key 2 of the file: shorter than 16 characters")

	// All at once, in the order of the file.
	f("quota: 1\nany_site: 2\nsites:\n  a.example: {shards: 0,\n    currency: x}\n  B: {}\n", ":1:1: quota: ", ":2:11: any_site: ", ":4:23: ", ":5:15: ", ":6:3: ")
	many := "any_site: true\nsites:\n" + strings.Repeat("  A: {}\n", mostFindings+5)
	mustWriteFile(t, path, many)
	if _, err := Check(path, nil); err == nil || !strings.HasSuffix(err.Error(), ": 5 more findings") {
		t.Errorf("many findings: %v", err)
	}
	if _, err := Check(path+".none", nil); err == nil || err.Error() != path+".none: no such file or directory" {
		t.Errorf("no file: %v", err)
	}
}

// TestFileBesideFlags: what the file can have, no flag can have beside it.
func TestFileBesideFlags(t *testing.T) {
	dir := t.TempDir()
	path := mustWriteFile(t, filepath.Join(dir, "sites.yaml"), "sites:\n  a.example: {query_keys_file: keys}\n")
	mustWriteFile(t, filepath.Join(dir, "keys"), fileKey+"\n")
	f := func(c Config, want string) {
		t.Helper()
		c.File = path
		if _, err := Read(c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", c, err, want)
		}
	}
	f(Config{Sites: []string{"a.example"}}, "--sites and --sites-file are both given; leave --sites out, and write sites or any_site into the file")
	f(Config{Shards: map[string]uint16{"a.example": 2}}, "--shards and --sites-file")
	f(Config{HonourDNT: true}, "--honour-dnt and --sites-file")
	f(Config{TimeZone: "Europe/Berlin"}, "--time-zone and --sites-file")
	f(Config{TimeZones: map[string]string{"a.example": "UTC"}}, "--site-time-zones and --sites-file")
	f(Config{Goals: "g.json"}, "--goals and --sites-file")
	f(Config{QueryKeys: []string{Any}}, "--query-keys any: the file of --sites-file has keys for queries")
	// Who needs no keys does not read them.
	mustRead(t, Config{File: path, Listen: ":8080", TimeZone: "UTC"})
	if err := os.Remove(filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	f(Config{}, "--sites-file: "+path+":2:32: sites.a.example.query_keys_file: read the file")
	mustRead(t, Config{SkipKeyFiles: true, File: path})
}

// TestSource: a source reads again what has changed, once it has been the same twice.
func TestSource(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sites.yaml")
	keys := mustWriteFile(t, filepath.Join(dir, "keys"), fileKey+"\n")
	write := func(text string) { t.Helper(); mustWriteFile(t, path, text) }
	write("sites:\n  a.example: {write_keys_file: keys}\n")
	src := NewSource(Config{File: path})
	f := func(want string) {
		t.Helper()
		got := "-"
		if s, fresh, err := src.Read(); err != nil {
			var file *FileError
			if got = "broken"; !fresh || !errors.As(err, &file) {
				t.Errorf("fresh: %v, %v", fresh, err)
			}
		} else if fresh {
			got = ids(s.Named())
			if !s.WriteKeys.Allow(fileKey, "a.example") {
				got += " without the key"
			}
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f("a.example")
	f("-")
	write("sites:\n  a.example:")
	f("-")
	write("sites:\n  a.example: {write_keys_file: keys}\n  b.example: {}\n")
	f("-")
	f("a.example,b.example")
	f("-")
	write("sites: [")
	f("-")
	f("broken")
	f("-")
	write("sites:\n  a.example: {write_keys_file: keys}\n  b.example: {}\n")
	f("-")
	f("a.example,b.example")
	mustWriteFile(t, keys, fileKey[1:]+"\n")
	f("-")
	f("a.example,b.example without the key")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f("-")
	f("broken")
	f("-")
	// The missing file is one that was read.
	write("sites:\n  c.example: {}\n")
	f("-")
	f("c.example without the key")
}

// FuzzFile: no text makes the reader fail in another way than with findings, which are in the order of the file; what is
// taken is valid.
func FuzzFile(f *testing.F) {
	f.Add(Example)
	f.Add("any_site: true")
	f.Add("sites: {a.example: {aliases: [7, x], goals: [{name: x, page: /*}], shards: 2, write_keys: ['sha256:0']}}")
	f.Add("a: &x [*x]\n---\n? b\n: !!binary c")
	f.Fuzz(func(t *testing.T, text string) {
		s := newSites()
		r := fileReader{sites: s}
		findings := r.read([]byte(text))
		for i, finding := range findings {
			if finding.Text == "" || i > 0 && finding.Line < findings[i-1].Line {
				t.Fatalf("%q: %+v", text, findings)
			}
		}
		if len(findings) > 0 {
			return
		}
		tokens := map[string]bool{}
		for _, of := range s.All() {
			if event.ValidSite(of.ID) != nil || !of.Named || of.Shards > MaxShards || len(of.Goals) > MaxGoals {
				t.Fatalf("%q: %+v", text, of)
			}
			for _, g := range of.Goals {
				if err := g.check(); err != nil {
					t.Fatalf("%q: %+v: %v", text, g, err)
				}
			}
			for _, token := range of.Tokens {
				if tokens[token] {
					t.Fatalf("%q: token %q is there twice", text, token)
				}
				tokens[token] = true
			}
		}
		if !s.Any && len(s.All()) == 0 {
			t.Fatalf("%q names no site", text)
		}
	})
}

// TestIdentity: how visitors are told apart is the site's own, or the default.
func TestIdentity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sites.yaml")
	text := "defaults: {identity: client-id, objections: drop}\nsites:\n  a.example:\n  b.example: {identity: cookieless, objections: ignore}\n  c.example: {objections: cookieless}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := mustRead(t, Config{File: path})
	f := func(id string, client bool, objections Objections) {
		t.Helper()
		if of := s.Of(id); of.ClientIDs != client || of.Objections != objections {
			t.Errorf("%s: %v, %q", id, of.ClientIDs, of.Objections)
		}
	}
	f("a.example", true, Drop)
	f("b.example", false, Ignore)
	f("c.example", true, Cookieless)
	f("d.example", true, Drop)
}
