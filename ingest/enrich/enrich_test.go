package enrich

import (
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"millrace/engine/event"
)

func mustIdentity(tb testing.TB) *Identity {
	tb.Helper()
	id, err := New([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

var noon = event.Time(1_772_625_600_000) // 2026-03-04T12:00:00Z

// TestFrozen: these hashes are in people's lakes. They must never change. The values were computed with Python's hmac and hashlib.
func TestFrozen(t *testing.T) {
	id := mustIdentity(t)
	f := func(name, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	v4, _ := id.Visitor("a.example", netip.MustParseAddr("192.0.2.1"), "UA", noon)
	v6, _ := id.Visitor("a.example", netip.MustParseAddr("2001:db8::1"), "UA", noon)
	none, _ := id.Visitor("a.example", netip.Addr{}, "UA", noon)
	host, _ := id.HostVisitor("a.example", "dsl.example.net", "UA", noon)
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
		if v, _ := id.Visitor("a.example", addr, "UA", noon); uint64(v)%shards == uint64(s) {
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
	visitor := func(site, addr, ua string, at event.Time) event.Visitor {
		v, _ := id.Visitor(site, netip.MustParseAddr(addr), ua, at)
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
	if byHost, _ := id.HostVisitor("a.example", "192.0.2.1", "UA", noon); byHost != base {
		t.Error("an access log's visitor is not the collector's")
	}
	b, _ := New([]byte("another secret of thirty-two byt"))
	if v, _ := b.Visitor("a.example", netip.MustParseAddr("192.0.2.1"), "UA", noon); v == base {
		t.Error("the secret does not matter")
	}
	if _, err := New([]byte("short")); err == nil || err.Error() != "secret has 5 bytes, want 32" {
		t.Errorf("got %v", err)
	}
}

// TestMidnight: in the first hour of a day the hash of the day before comes along, and only then.
func TestMidnight(t *testing.T) {
	id := mustIdentity(t)
	midnight := noon + 12*event.Hour
	addr := netip.MustParseAddr("192.0.2.1")
	before, prev := id.Visitor("a.example", addr, "UA", midnight-1)
	if prev != 0 {
		t.Errorf("at 23:59:59.999 there is a previous hash")
	}
	for _, at := range []event.Time{midnight, midnight + event.Hour - 1} {
		if cur, prev := id.Visitor("a.example", addr, "UA", at); prev != before || cur == before {
			t.Errorf("%s: %s and %s, yesterday's is %s", at, cur, prev, before)
		}
	}
	if _, prev := id.Visitor("a.example", addr, "UA", midnight+event.Hour); prev != 0 {
		t.Error("at 01:00 there is a previous hash")
	}
	// More days than are kept, and back.
	for d := range event.Time(3 * maxSalts) {
		id.Visitor("a.example", addr, "UA", noon+d*day)
	}
	if again, _ := id.Visitor("a.example", addr, "UA", midnight-1); again != before {
		t.Error("the hash of a day changed")
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
	b.ReportAllocs()
	for b.Loop() {
		id.Visitor("shop.example.com", addr, ua, noon)
	}
}
