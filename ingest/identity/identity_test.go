package identity

import (
	"net/netip"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
	"unicode/utf8"

	"millrace/engine/event"
	"millrace/engine/window"
)

func mustIdentity(tb testing.TB) *Identity {
	tb.Helper()
	id, err := New([]byte("0123456789abcdef0123456789abcdef"), NewDerived([]byte("0123456789abcdef0123456789abcdef")))
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

var noon = event.Time(1_772_625_600_000) // 2026-03-04T12:00:00Z

// at is a moment in UTC.
func at(t event.Time) Moment { return Moment{At: t, Now: t} }

// TestFrozen: these hashes are in people's lakes. They must never change, so that an import can be repeated, and a visitor
// who is named stays the same. The values were computed with Python's hmac and hashlib.
func TestFrozen(t *testing.T) {
	id := mustIdentity(t)
	f := func(name, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	v4, _, _ := id.Visitor("a.example", netip.MustParseAddr("192.0.2.1"), "UA", at(noon))
	v6, _, _ := id.Visitor("a.example", netip.MustParseAddr("2001:db8::1"), "UA", at(noon))
	none, _, _ := id.Visitor("a.example", netip.Addr{}, "UA", at(noon))
	host, _, _ := id.HostVisitor("a.example", "dsl.example.net", "UA", at(noon))
	f("v4", v4.String(), "0ca9b8a3add31f95")
	f("v6", v6.String(), "fe1be4c44199fbb7")
	f("no address", none.String(), "2f96c7c34a870f4f")
	f("host", host.String(), "3037652bf596497e")
	f("named", id.Named("a.example", "user 7").String(), "8cb6c5316f52bf0c")
	f("digest", id.Digest("a.example", []byte("a line")), "e251cb97c41ab55c")
}

// TestShard: the parts of a site are about equal, do not change with the day, and say nothing about the visitor's id.
func TestShard(t *testing.T) {
	id := mustIdentity(t)
	const shards, n = 8, 4000
	var parts, together [shards]int
	for i := range n {
		addr := netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
		s := id.Shard("a.example", addr, "UA", shards)
		parts[s]++
		if v, _, _ := id.Visitor("a.example", addr, "UA", at(noon)); uint64(v)%shards == uint64(s) {
			together[s]++
		}
	}
	for s := range shards {
		if parts[s] < n/shards*8/10 || parts[s] > n/shards*12/10 || together[s] > parts[s]/4 {
			t.Errorf("part %d has %d of %d visitors, %d of whom are there by their ids too", s, parts[s], n, together[s])
		}
	}
	f := func(name string, got, want uint16) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
	// The values were computed with Python's hmac and hashlib.
	f("v4", id.Shard("a.example", netip.MustParseAddr("192.0.2.1"), "UA", 1000), 815)
	f("v6", id.Shard("a.example", netip.MustParseAddr("2001:db8::1"), "UA", 1000), 680)
	f("same /64", id.Shard("a.example", netip.MustParseAddr("2001:db8::2"), "UA", 1000), 680)
	f("named", id.NamedShard("a.example", "user 7", 1000), 644)
	f("one", id.Shard("a.example", netip.MustParseAddr("192.0.2.1"), "UA", 1), 0)
	f("none", id.NamedShard("a.example", "user 7", 0), 0)
}

func TestVisitorIsToldByTheRightThings(t *testing.T) {
	id := mustIdentity(t)
	visitor := func(site, addr, ua string, when event.Time) event.Visitor {
		v, _, _ := id.Visitor(site, netip.MustParseAddr(addr), ua, at(when))
		return v
	}
	base := visitor("a.example", "192.0.2.1", "UA", noon)
	same := func(name string, v event.Visitor) {
		t.Helper()
		if v != base {
			t.Errorf("%s is another visitor", name)
		}
	}
	other := func(name string, v event.Visitor) {
		t.Helper()
		if v == base || v == 0 {
			t.Errorf("%s is the same visitor, or none", name)
		}
	}
	same("the address mapped into IPv6", visitor("a.example", "::ffff:192.0.2.1", "UA", noon))
	same("the end of the day", visitor("a.example", "192.0.2.1", "UA", noon+12*event.Hour-1))
	other("another site", visitor("b.example", "192.0.2.1", "UA", noon))
	other("another address", visitor("a.example", "192.0.2.2", "UA", noon))
	other("another user agent", visitor("a.example", "192.0.2.1", "UB", noon))
	other("the next day", visitor("a.example", "192.0.2.1", "UA", noon+12*event.Hour))
	if byHost, _, _ := id.HostVisitor("a.example", "192.0.2.1", "UA", at(noon)); byHost != base {
		t.Error("an access log's visitor is not the collector's")
	}
	b, _ := New([]byte("0123456789abcdef0123456789abcdef"), NewDerived([]byte("another key")))
	if v, _, _ := b.Visitor("a.example", netip.MustParseAddr("192.0.2.1"), "UA", at(noon)); v == base {
		t.Error("the salt does not matter")
	}
	if _, err := New([]byte("short"), nil); err == nil || err.Error() != "secret has 5 bytes, want 32" {
		t.Errorf("got %v", err)
	}
}

// TestMidnight: at the site's midnight, and at no other, an id ends, and in the hour behind it the one of the date before comes
// along: also where clocks go forward at midnight, and where they go back.
func TestMidnight(t *testing.T) {
	id := mustIdentity(t)
	addr := netip.MustParseAddr("192.0.2.1")
	f := func(zone, midnight string) {
		t.Helper()
		z, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		begin, err := time.Parse(time.RFC3339, midnight)
		if err != nil {
			t.Fatal(err)
		}
		visitor := func(after event.Time) (cur, prev event.Visitor) {
			m := at(event.TimeOf(begin) + after)
			m.Zone = z
			cur, prev, _ = id.Visitor("a.example", addr, "UA", m)
			return cur, prev
		}
		before, none := visitor(-1)
		first, prev := visitor(0)
		last, still := visitor(event.Hour - 1)
		if none != 0 || first == before || prev != before || last != first || still != before {
			t.Errorf("%s at %s: %s %s, %s %s, %s %s", zone, midnight, before, none, first, prev, last, still)
		}
		if cur, prev := visitor(event.Hour); cur != first || prev != 0 {
			t.Errorf("%s an hour after %s: %s %s", zone, midnight, cur, prev)
		}
		if morning, _ := visitor(-20 * event.Hour); morning != before {
			t.Errorf("%s before %s: another visitor in the morning", zone, midnight)
		}
		if evening, _ := visitor(20 * event.Hour); evening != first {
			t.Errorf("%s after %s: another visitor in the evening", zone, midnight)
		}
	}
	f("UTC", "2026-03-05T00:00:00Z")
	f("Europe/Berlin", "2026-03-05T00:00:00+01:00")
	f("Europe/Berlin", "2026-03-29T00:00:00+01:00") // a day of 23 hours
	f("America/Los_Angeles", "2026-11-01T00:00:00-07:00")
	f("Pacific/Kiritimati", "2026-03-05T00:00:00+14:00")
	f("Asia/Kathmandu", "2026-03-05T00:00:00+05:45")
	f("Africa/Cairo", "2026-04-24T01:00:00+03:00")   // there is no midnight: clocks go from 0:00 to 1:00
	f("America/Havana", "2026-11-01T00:00:00-04:00") // the hour after midnight comes twice
	f("Pacific/Apia", "2011-12-31T00:00:00+14:00")   // there is no 30th
}

// fewSalts has the salts of some dates.
type fewSalts map[Day]*Salt

func (f fewSalts) Salt(d Day) *Salt { return f[d] }

// TestGone: an event of a date whose salt is gone gets a visitor of the date of its receipt, who is the same for all that is
// received that day, and is not the one of another date.
func TestGone(t *testing.T) {
	today, _ := dayOf(noon, nil)
	id, err := New(make([]byte, SecretLen), fewSalts{today: NewSalt([]byte("today")), today - 1: NewSalt([]byte("yesterday"))})
	if err != nil {
		t.Fatal(err)
	}
	visitor := func(at, now event.Time) event.Visitor {
		v, _, ok := id.Visitor("a.example", netip.MustParseAddr("192.0.2.1"), "UA", Moment{At: at, Now: now})
		if ok != (v != 0) {
			t.Errorf("%s at %s: %s, %v", at, now, v, ok)
		}
		return v
	}
	seen := map[event.Visitor]bool{}
	for back := range event.Time(5) {
		v := visitor(noon-back*day, noon)
		if v == 0 || seen[v] || visitor(noon-back*day+event.Hour, noon+event.Hour) != v {
			t.Errorf("%d days back: %s", back, v)
		}
		seen[v] = true
	}
	if v := visitor(noon+day, noon+day); v != 0 {
		t.Errorf("there is no salt of the date of receipt, and the visitor is %s", v)
	}
	if v := visitor(noon+day, noon); v != 0 {
		t.Errorf("an event of tomorrow has visitor %s", v)
	}
}

// TestDerived: there is one salt of a date, however many others were asked for in between.
func TestDerived(t *testing.T) {
	d := NewDerived([]byte("a key"))
	first := d.Salt(7).sum("a.example", nil, "UA")
	for other := range Day(3 * maxDerived) {
		d.Salt(other)
	}
	if again := d.Salt(7).sum("a.example", nil, "UA"); again != first || d.Salt(8).sum("a.example", nil, "UA") == first {
		t.Error("the hash of a date changed, or is that of another")
	}
	if day, err := ParseDay("2026-03-04"); err != nil || day.String() != "2026-03-04" || day != Day(noon.Floor(24*event.Hour)/(24*event.Hour)) {
		t.Errorf("2026-03-04 is %s, %v", day, err)
	}
}

func TestCountry(t *testing.T) {
	f := func(addr, want string) {
		t.Helper()
		a, _ := netip.ParseAddr(addr)
		if got := Country(a); got != want {
			t.Errorf("%s: got %q, want %q", addr, got, want)
		}
	}
	f("8.8.8.8", "US")
	f("::ffff:8.8.8.8", "US")
	f("2a00:1450:4001:80b::200e", "DE")
	for _, nowhere := range []string{"", "0.0.0.0", "::", "::1", "127.0.0.1", "10.1.2.3", "fe80::1%eth0", "255.255.255.255",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"} {
		f(nowhere, "")
	}
	for in, want := range map[string]string{"at": "AT", "DE": "DE", "XX": "", "T1": "", "ZZ": "", "": "", "DEU": "", "D\x00": ""} {
		if got := CountryCode(in); got != want {
			t.Errorf("CountryCode(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestClient(t *testing.T) {
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	f := func(peer, want string, headers ...string) {
		t.Helper()
		var forwarded [][]byte
		for _, h := range headers {
			forwarded = append(forwarded, []byte(h))
		}
		if got := proxies.Client(netip.MustParseAddr(peer), forwarded); got.String() != want {
			t.Errorf("%s %q: got %s, want %s", peer, headers, got, want)
		}
	}
	f("192.0.2.1", "192.0.2.1")
	f("192.0.2.1", "192.0.2.1", "1.1.1.1")
	f("10.0.0.1", "10.0.0.1")
	f("10.0.0.1", "1.1.1.1", "1.1.1.1")
	f("10.0.0.1", "2.2.2.2", "1.1.1.1, 2.2.2.2")
	f("10.0.0.1", "2.2.2.2", "1.1.1.1,2.2.2.2 , 10.9.9.9")
	f("10.0.0.1", "2.2.2.2", "1.1.1.1", "2.2.2.2,10.1.1.1")
	f("2001:db8::5", "2001:470::1", "[2001:470::1]:443")
	f("10.0.0.1", "2001:470::1", "[2001:470::1]")
	f("10.0.0.1", "1.1.1.1", "1.1.1.1:80")
	f("10.0.0.1", "1.1.1.1", "::ffff:1.1.1.1")
	f("10.0.0.1", "10.0.0.1", "1.1.1.1, unknown")
	f("10.0.0.1", "10.2.2.2", "1.1.1.1, _hidden, 10.2.2.2")
	f("10.0.0.1", "10.0.0.1", "")
	f("10.0.0.1", "10.3.3.3", "10.3.3.3") // everybody is a proxy: the farthest
}

func FuzzClient(f *testing.F) {
	f.Add("1.1.1.1, [2001:db8::1]:80, x")
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, header string) {
		if got := proxies.Client(netip.MustParseAddr("10.0.0.1"), [][]byte{[]byte(header)}); !got.IsValid() {
			t.Fatalf("%q: no address", header)
		}
	})
}

// TestCleanWords: a value is stored as a filter of it is read.
func TestCleanWords(t *testing.T) {
	for _, s := range []string{"", "a b", "Buy\nnow", "a\r\n\tb", "\x00a\x7f", "a\xff\xfeb", " caf\u00e9\n"} {
		if got, want := window.Clean(CleanWords(s, 100)), window.Clean(s); got != want {
			t.Errorf("%q: %q, as a filter %q", s, got, want)
		}
	}
	if got := CleanWords("a\nb\r\nc", 100); got != "a b  c" {
		t.Errorf("got %q", got)
	}
	if got := CleanWords("\xffé", 4); got != "\ufffd" {
		t.Errorf("cut to %q", got)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x00b\xff\u00e9", 4)
	f.Fuzz(func(t *testing.T, s string, most int) {
		most &= 0xfff
		got := Clean(s, most)
		if len(got) > most || !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			t.Fatalf("Clean(%q, %d) = %q", s, most, got)
		}
	})
}

func BenchmarkVisitor(b *testing.B) {
	id := mustIdentity(b)
	addr := netip.MustParseAddr("192.0.2.1")
	ua := "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		id.Visitor("shop.example.com", addr, ua, Moment{At: noon, Now: noon, Zone: berlin})
	}
}
