package geo

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millrace/ingest/geo/geotest"
	"millrace/ingest/identity"
	"millrace/internal/testlog"
)

// cities is a file of made-up places in networks for documentation.
var cities = geotest.File{Networks: map[string]any{
	"203.0.113.0/24":       geotest.City("US", "CA", "California", 5368361, "Los Angeles"),
	"203.0.113.128/25":     geotest.City("US", "OR", "Oregon", 5746545, "Portland"),
	"203.0.113.200/32":     geotest.City("US", "ME", "Maine", 4975802, "Portland"),
	"198.51.100.0/24":      geotest.City("AT", "9", "Vienna", 2761369, "Vienna"),
	"192.0.2.0/24":         geotest.City("SG", "", "", 0, ""),
	"2001:db8:1::/48":      geotest.City("FR", "IDF", "Île-de-France", 2988507, "Paris"),
	"2001:db8:1:2::/64":    geotest.City("BR", "SP", "São Paulo", 0, "São Paulo"),
	"10.0.0.0/8":           geotest.City("DE", "BE", "Berlin", 2950159, "Berlin"),
	"fd00::/8":             geotest.City("DE", "BE", "Berlin", 2950159, "Berlin"),
	"2001:db8:ffff::1/128": geotest.Map{"country": geotest.Map{"iso_code": "XX"}, "city": geotest.Map{"names": geotest.Map{"de": "Nur deutsch"}}},
}}

func mustOpen(tb testing.TB, f geotest.File, o Options) (*DB, string) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "city.mmdb")
	geotest.Write(tb, path, f)
	d, err := Open([]string{path}, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { d.Close() })
	return d, path
}

func TestPlace(t *testing.T) {
	for _, size := range []int{24, 28, 32} {
		file := cities
		file.RecordSize = size
		d, _ := mustOpen(t, file, Options{})
		f := func(addr, country, region, city string) {
			t.Helper()
			want := identity.Place{Country: country, Region: region, City: city}
			if got := d.Place(netip.MustParseAddr(addr)); got != want {
				t.Errorf("%s: got %+v, want %+v", addr, got, want)
			}
		}
		f("203.0.113.7", "US", "US-CA", "5368361")
		f("::ffff:203.0.113.7", "US", "US-CA", "5368361")
		f("203.0.113.129", "US", "US-OR", "5746545")
		f("203.0.113.200", "US", "US-ME", "4975802")
		f("203.0.113.201", "US", "US-OR", "5746545")
		f("198.51.100.1", "AT", "AT-9", "2761369")
		f("192.0.2.9", "SG", "", "")
		f("2001:db8:1::5", "FR", "FR-IDF", "2988507")
		f("2001:db8:1:2:3:4:5:6", "BR", "BR-SP", "São Paulo") // without an id the name
		f("8.8.8.8", "", "", "")
		f("2001:db8:2::1", "", "", "")
		f("2001:db8:ffff::1", "", "", "") // XX is no country, and a name in German is none in English
		// What is not public, though the file has it.
		f("10.1.2.3", "", "", "")
		f("fd00::1", "", "", "")
		f("127.0.0.1", "", "", "")
		f("fe80::1%eth0", "", "", "")
		if got := d.Place(netip.Addr{}); got != (identity.Place{}) {
			t.Errorf("no address is in %+v", got)
		}
		if err := d.files[0].current.Load().reader.Verify(); err != nil {
			t.Errorf("the test's own file of %d bits is wrong: %v", size, err)
		}
	}
}

func TestNames(t *testing.T) {
	d, _ := mustOpen(t, cities, Options{})
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(d.RegionName("US-CA"), "California")
	f(d.RegionName("FR-IDF"), "Île-de-France")
	f(d.RegionName("US-NY"), "")
	f(d.RegionName(""), "")
	f(d.CityName("5746545"), "Portland")
	f(d.CityName("4975802"), "Portland")
	f(d.CityName("São Paulo"), "")
	f(d.CityName(""), "")
}

// TestSeveralFiles: later files fill in what earlier ones lack, and do not contradict them.
func TestSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	type m = geotest.Map
	write := func(name string, f geotest.File) string {
		path := filepath.Join(dir, name)
		geotest.Write(t, path, f)
		return path
	}
	// As ip-location-db has them: flat, and one file for each family.
	countries4 := write("country4.mmdb", geotest.File{IPVersion: 4, Type: "country ipv4", Networks: map[string]any{
		"203.0.113.0/24": m{"country_code": "US"}, "198.51.100.0/24": m{"country_code": "AT"}, "32.0.0.0/8": m{"country_code": "ZA"}}})
	countries6 := write("country6.mmdb", geotest.File{Type: "country ipv6", Networks: map[string]any{"2001:db8:1::/48": m{"country_code": "FR"}}})
	all := write("city.mmdb", cities)
	open := func(paths ...string) *DB {
		t.Helper()
		d, err := Open(paths, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		return d
	}
	f := func(d *DB, addr, country, region, city string) {
		t.Helper()
		want := identity.Place{Country: country, Region: region, City: city}
		if got := d.Place(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: got %+v, want %+v", addr, got, want)
		}
	}
	d := open(countries4)
	f(d, "203.0.113.7", "US", "", "")
	f(d, "::ffff:203.0.113.7", "US", "", "")
	f(d, "2001:db8:1::5", "", "", "") // begins with the bits of 32.1.13.184
	d = open(countries4, countries6)
	f(d, "203.0.113.7", "US", "", "")
	f(d, "2001:db8:1::5", "FR", "", "")
	f(d, "192.0.2.9", "", "", "")
	d = open(countries4, countries6, all)
	f(d, "203.0.113.7", "US", "US-CA", "5368361")
	f(d, "2001:db8:1::5", "FR", "FR-IDF", "2988507")
	f(d, "192.0.2.9", "SG", "", "")
	if got := d.CityName("5368361") + d.RegionName("FR-IDF"); got != "Los AngelesÎle-de-France" {
		t.Errorf("names %q", got)
	}
	// The first one is right where they differ.
	other := write("other.mmdb", geotest.File{Networks: map[string]any{"203.0.113.0/24": m{"country_code": "CA"}, "198.51.100.0/24": m{"country_code": "AT", "region_code": "1"}}})
	d = open(other, all)
	f(d, "203.0.113.7", "CA", "", "")
	f(d, "198.51.100.1", "AT", "AT-1", "")
	f(d, "2001:db8:1::5", "FR", "FR-IDF", "2988507")

	if _, err := Open([]string{all, filepath.Join(dir, "none.mmdb")}, Options{}); err == nil || !strings.Contains(err.Error(), "none.mmdb") {
		t.Errorf("a missing file is %v", err)
	}
}

// TestShapes: the records of other makers.
func TestShapes(t *testing.T) {
	f := func(record any, country, region, city string) {
		t.Helper()
		d, _ := mustOpen(t, geotest.File{Networks: map[string]any{"203.0.113.0/24": record,
			"2001:db8::/32": geotest.City("DE", "", "", 0, "")}}, Options{})
		want := identity.Place{Country: country, Region: region, City: city}
		if got := d.Place(netip.MustParseAddr("203.0.113.1")); got != want {
			t.Errorf("%v: got %+v, want %+v", record, got, want)
		}
	}
	type m = geotest.Map
	type l = geotest.List
	// DB-IP Lite: names of subdivisions without codes, and of cities without ids.
	f(m{"country": m{"iso_code": "US"}, "subdivisions": l{m{"names": m{"en": "California"}}}, "city": m{"names": m{"en": "Mountain View"}}},
		"US", "", "Mountain View")
	// ip-location-db: flat.
	f(m{"country_code": "US"}, "US", "", "")
	f(m{"country_code": "US", "city": "Mountain View", "state1": "California", "state2": "Santa Clara", "postcode": ""}, "US", "", "Mountain View")
	// Flat with a code of the region, and with the country's code as country.
	f(m{"country": "DE", "region": "Bavaria", "region_code": "BY", "city": "Munich"}, "DE", "DE-BY", "Munich")
	f(m{"country": "Germany", "country_code": "DE", "continent": "Europe"}, "DE", "", "")
	// Other types than expected are passed over.
	f(m{"country": 7, "subdivisions": m{"iso_code": "CA"}, "city": true}, "", "", "")
	f(m{"country": m{"iso_code": 7, "names": l{}}, "subdivisions": l{"CA"}, "city": m{"geoname_id": "x", "names": m{"en": 7}}}, "", "", "")
	f(m{"country": m{"iso_code": "US"}, "subdivisions": l{}, "city": m{}}, "US", "", "")
	f("text", "", "", "")
	f(l{m{"country_code": "US"}}, "", "", "")
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	good := geotest.Bytes(t, cities)
	f := func(name string, content []byte, want string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if content != nil {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d, err := Open([]string{path}, Options{})
		if err == nil {
			d.Close()
			t.Fatalf("%s: opened", name)
		}
		if prefix := fmt.Sprintf("open geo database %q: ", path); !strings.HasPrefix(err.Error(), prefix+want) {
			t.Errorf("%s: got  %v\nwant %s%s…", name, err, prefix, want)
		}
	}
	f("missing.mmdb", nil, "no such file or directory")
	f(".", nil, "it is no regular file")
	f("empty.mmdb", []byte{}, "it is no MaxMind DB file, or cut short: ")
	f("table.csv", []byte("1.0.0.0,1.0.0.255,AU\n"), "it is no MaxMind DB file, or cut short: ")
	f("half.mmdb", good[:len(good)/2], "it is no MaxMind DB file, or cut short: ")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(good)
	z.Close()
	f("city.tar.gz", packed.Bytes(), "it is compressed: unpack it first")
	f("asn.mmdb", geotest.Bytes(t, geotest.File{Type: "GeoLite2-ASN", Networks: map[string]any{
		"203.0.113.0/24": geotest.Map{"autonomous_system_number": 64496, "autonomous_system_organization": "Example"}}}),
		`it is of the type "GeoLite2-ASN", whose records name neither country nor region nor city`)
	// A control byte of no type where the first record is.
	marker := bytes.Index(good, make([]byte, 16))
	broken := bytes.Clone(good)
	for i := range 40 {
		broken[marker+16+i] = 0xff
	}
	f("broken.mmdb", broken, "it is damaged: ")
	// A chain of 128 nodes, each of which leads to the next by both branches.
	chain := geotest.Bytes(t, geotest.File{RecordSize: 32, Networks: map[string]any{"203.0.113.1/32": "x"}})
	for i := range uint32(127) {
		binary.BigEndian.PutUint32(chain[8*i:], i+1)
		binary.BigEndian.PutUint32(chain[8*i+4:], i+1)
	}
	f("chain.mmdb", chain, "it is damaged: the search tree has more leaves than it can have")
}

// TestReload: a new file is used without a restart, a broken one is not, and a file that is being written is let alone.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "city.mmdb")
	version := func(id int) []byte {
		return geotest.Bytes(t, geotest.File{Networks: map[string]any{"203.0.113.0/24": geotest.City("US", "CA", "California", id, fmt.Sprint("City ", id))}})
	}
	// The times of files are the machine's, of which two may be equal: each version gets its own.
	changes := 0
	write := func(content []byte) {
		t.Helper()
		changes++
		tmp := filepath.Join(dir, "new")
		if err := os.WriteFile(tmp, content, 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Unix(1_700_000_000+int64(changes), 0)
		if err := os.Chtimes(tmp, when, when); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, path); err != nil {
			t.Fatal(err)
		}
	}
	write(version(1))
	first := filepath.Join(dir, "first.mmdb")
	geotest.Write(t, first, geotest.File{Networks: map[string]any{"198.51.100.0/24": geotest.City("AT", "9", "Vienna", 2761369, "Vienna")}})
	synctest.Test(t, func(t *testing.T) {
		var log testlog.Buffer
		d, err := Open([]string{first, path}, Options{CheckEvery: time.Minute, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		f := func(what string, want, errors int) {
			t.Helper()
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := d.Place(netip.MustParseAddr("203.0.113.1")).City; got != fmt.Sprint(want) {
				t.Errorf("%s: got version %s, want %d", what, got, want)
			}
			if got := strings.Count(log.String(), "level=ERROR"); got != errors {
				t.Errorf("%s: %d errors are logged, want %d:\n%s", what, got, errors, log.String())
			}
		}
		f("nothing was done", 1, 0)
		write(version(2))
		f("it has just changed", 1, 0)
		f("it has changed", 2, 0)
		if d.CityName("2") != "City 2" || d.CityName("1") != "" {
			t.Error("the names are the old ones")
		}
		write(version(3)[:100])
		f("it is being written", 2, 0)
		write(version(3))
		f("it is written", 2, 0)
		f("it was written", 3, 0)
		write([]byte("nonsense"))
		f("it is broken", 3, 0)
		f("it is broken, and that is said", 3, 1)
		f("it is still broken, and that is not said again", 3, 1)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		f("it is gone", 3, 2)
		f("it is still gone", 3, 2)
		write(version(4))
		f("it is back", 3, 2)
		f("it is read", 4, 2)
	})
}

// FuzzLoad: of a damaged file either an error comes or places, whatever they are.
func FuzzLoad(f *testing.F) {
	good := geotest.Bytes(f, cities)
	f.Add(good, uint16(0), byte(0))
	f.Add(geotest.Bytes(f, geotest.File{RecordSize: 24, Networks: map[string]any{"203.0.113.0/24": geotest.Map{"country_code": "US", "city": "X"}}}), uint16(3), byte(1))
	marker := bytes.Index(good, make([]byte, 16))
	for i := range 60 {
		f.Add(good, uint16(marker+16+7*i), byte(0x41+i))
		f.Add(good, uint16(len(good)-3*i), byte(0x80+i))
	}
	path := filepath.Join(f.TempDir(), "fuzz.mmdb")
	f.Fuzz(func(t *testing.T, content []byte, at uint16, flip byte) {
		if len(content) > 1<<16 {
			return
		}
		content = bytes.Clone(content)
		if int(at) < len(content) {
			content[at] ^= flip
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		tab, err := load(path)
		if err != nil {
			return
		}
		for _, addr := range []string{"203.0.113.7", "198.51.100.1", "2001:db8:1::1", "255.255.255.255", "::"} {
			p := tab.place(netip.MustParseAddr(addr))
			if again := identity.NewPlace(p.Country, p.Region, p.City); again != p {
				t.Fatalf("%s is in %+v, which is not as places are kept", addr, p)
			}
		}
	})
}

func BenchmarkPlace(b *testing.B) {
	f := geotest.File{Networks: map[string]any{}}
	for i := range 4 * 4096 {
		rec := geotest.City("US", "CA", "California", 5_000_000+i, fmt.Sprint("City ", i))
		f.Networks[fmt.Sprintf("%d.%d.0.0/16", 20+i>>8, i&255)] = rec
		f.Networks[fmt.Sprintf("2a01:%x::/48", 0x4000+i)] = rec
	}
	d, _ := mustOpen(b, f, Options{})
	run := func(name string, addr func(i int) netip.Addr) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if d.Place(addr(i)).City == "" {
					b.Fatal("nothing found")
				}
			}
		})
	}
	v4 := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{20 + byte(i>>8&63), byte(i), 3, 4}) }
	v6 := func(i int) netip.Addr {
		return netip.AddrFrom16([16]byte{0x2a, 0x01, 0x40 + byte(i>>8&63), byte(i), 15: 9})
	}
	run("v4", v4)
	run("v6", v6)
	run("v4 of 1000 records", func(i int) netip.Addr { return v4(i % 1000) })
	run("v6 of 1000 records", func(i int) netip.Addr { return v6(i % 1000) })
	b.Run("country in the program", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			identity.Country(v4(i))
		}
	})
}

// BenchmarkOpen is of a file with as many networks as there are in a million lines.
func BenchmarkOpen(b *testing.B) {
	f := geotest.File{Networks: map[string]any{}}
	for i := range 1 << 17 {
		f.Networks[fmt.Sprintf("%d.%d.%d.0/24", 1+i>>16, i>>8&255, i&255)] = geotest.City("US", "CA", "California", 5_000_000+i, fmt.Sprint("City ", i))
	}
	path := filepath.Join(b.TempDir(), "city.mmdb")
	geotest.Write(b, path, f)
	for b.Loop() {
		if _, err := load(path); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(f.Networks))*float64(b.N)/b.Elapsed().Seconds(), "networks/s")
}
