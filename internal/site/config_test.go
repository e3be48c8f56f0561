package site

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	_ "time/tzdata"
)

func mustRead(tb testing.TB, c Config) *Sites {
	tb.Helper()
	s, err := Read(c)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func ids(sites []Site) string {
	var all []string
	for _, s := range sites {
		all = append(all, s.ID)
	}
	return strings.Join(all, ",")
}

func TestSites(t *testing.T) {
	f := func(listen, sites, want string, anySite bool) {
		t.Helper()
		c := Config{Listen: listen, More: []string{"demo.example"}}
		if sites != "" {
			c.Sites = strings.Split(sites, ",")
		}
		if s := mustRead(t, c); s.Any != anySite || ids(s.Named()) != want {
			t.Errorf("%s with %q: %q, %v", listen, sites, ids(s.Named()), s.Any)
		}
	}
	f("", "", "", true)
	f("127.0.0.1:8080", "", "", true)
	f("[::1]:8080", "", "", true)
	f("localhost:8080", "", "", true)
	f("127.0.0.1:8080", "a.example", "a.example,demo.example", false)
	f(":8080", "b.example,a.example", "b.example,a.example,demo.example", false)
	f(":8080", "demo.example,a.example", "demo.example,a.example", false)
	f("0.0.0.0:8080", "any", "", true)
	for _, listen := range []string{":8080", "0.0.0.0:8080", "[::]:8080", "192.0.2.1:80", "example.com:80"} {
		if _, err := Read(Config{Listen: listen}); err == nil || !strings.HasPrefix(err.Error(), "--sites: "+listen) {
			t.Errorf("%s without sites: %v", listen, err)
		}
	}
}

// TestSettings: a setting is the site's own, or the default one, whether the site is named or not.
func TestSettings(t *testing.T) {
	goals := filepath.Join(t.TempDir(), "goals.json")
	text := `{"c.example": {"currency": "EUR", "goals": [{"name": "Order", "event": "purchase"}]}}`
	if err := os.WriteFile(goals, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := mustRead(t, Config{
		Sites: []string{"a.example", "b.example"}, Shards: map[string]uint16{"b.example": 16}, HonourDNT: true,
		TimeZone: "Europe/London", TimeZones: map[string]string{"a.example": "Europe/Berlin", "c.example": "Asia/Tokyo"}, Goals: goals,
	})
	f := func(id, zone string, named bool, shards uint16, goals int) {
		t.Helper()
		of := s.Of(id)
		if of.ID != id || of.TimeZone.String() != zone || of.Named != named || of.Shards != shards || len(of.Goals) != goals || !of.HonourDNT {
			t.Errorf("%+v", of)
		}
	}
	f("a.example", "Europe/Berlin", true, 0, 0)
	f("b.example", "Europe/London", true, 16, 0)
	f("c.example", "Asia/Tokyo", false, 0, 1)
	f("d.example", "Europe/London", false, 0, 0)
	if got := ids(s.Named()); got != "a.example,b.example" {
		t.Errorf("named: %s", got)
	}
	if n := s.Named(); n[0].TimeZone.String() != "Europe/Berlin" || n[1].Shards != 16 {
		t.Errorf("named: %+v", n)
	}
	if got := ids(s.All()); got != "a.example,b.example,c.example" || s.Of("c.example").Currency != "EUR" {
		t.Errorf("all: %s", got)
	}
	// Where any site is taken, those that are spread are known by name.
	s = mustRead(t, Config{Shards: map[string]uint16{"b.example": 2}, TimeZones: map[string]string{"a.example": "UTC"}})
	if got := ids(s.Named()); !s.Any || got != "b.example" {
		t.Errorf("any: %v, named: %s", s.Any, got)
	}
}

func TestReadRefuses(t *testing.T) {
	f := func(c Config, want string) {
		t.Helper()
		if _, err := Read(c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", c, err, want)
		}
	}
	f(Config{Sites: []string{"any", "a.example"}}, `--sites: either a list or "any", not both`)
	f(Config{Sites: []string{"a.example b.example"}}, `--sites: "a.example b.example" is more than one site; write a.example,b.example`)
	f(Config{Sites: []string{"https://A.example/"}}, `--sites: "https://A.example/" is a URL; write a.example`)
	f(Config{WriteKeys: []string{"short"}}, "--write-keys: key 1: shorter than 16 characters")
	f(Config{QueryKeys: []string{"any", "any"}}, "--query-keys: key 1: shorter than 16 characters")
	f(Config{TimeZone: "Nowhere/Town"}, "--time-zone: ")
	f(Config{TimeZones: map[string]string{"a.example": "CEST"}}, "--site-time-zones: site a.example: ")
	f(Config{TimeZones: map[string]string{"A": "UTC"}}, "--site-time-zones: ")
	f(Config{TimeZones: map[string]string{"a.example": "UTC,b=UTC"}}, `--site-time-zones: site a.example: "UTC,b=UTC": between two sites`)
	f(Config{Shards: map[string]uint16{"A": 2}}, "--shards: ")
	f(Config{Shards: map[string]uint16{"a": 0}}, "--shards: site a: 0 is not between 1 and 256")
	f(Config{Sites: []string{"a"}, Shards: map[string]uint16{"b": 2}}, "--shards: b is not among --sites")
	f(Config{Goals: filepath.Join(t.TempDir(), "none")}, "--goals ")
}
