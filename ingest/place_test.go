package ingest

import (
	"bytes"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"millrace/ingest/geo"
	"millrace/ingest/geo/geotest"
	"millrace/ingest/identity"
)

// TestPlaces: who is believed about where a client is, and that its address is nowhere in Kafka.
func TestPlaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.mmdb")
	geotest.Write(t, path, geotest.File{Networks: map[string]any{
		"203.0.113.0/24":  geotest.City("US", "OR", "Oregon", 5746545, "Portland"),
		"2001:db8:1::/48": geotest.City("FR", "IDF", "Île-de-France", 2988507, "Paris"),
	}})
	db, err := geo.Open([]string{path}, geo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, func(o *Options) {
		o.TrustedProxies = identity.Proxies{netip.MustParsePrefix("10.0.0.0/8")}
		o.CountryHeader, o.RegionHeader, o.CityHeader = "CF-IPCountry", "CF-Region-Code", "CF-IPCity"
		o.Places = db
	})
	want := map[string]identity.Place{}
	// f sends an event from a peer, with headers of places: country, region, city.
	f := func(id, peer, forwarded, country, region, city string, place identity.Place) {
		t.Helper()
		headers := []string{}
		for i, v := range []string{forwarded, country, region, city} {
			if v != "" {
				headers = append(headers, []string{"X-Forwarded-For", "CF-IPCountry", "CF-Region-Code", "CF-IPCity"}[i], v)
			}
		}
		res := call(c, peer, "POST", "/v1/events", `{"site":"a.example","name":"x","id":"`+id+`"}`, headers...)
		if res.StatusCode() != 202 {
			t.Fatalf("%s: %d %s", id, res.StatusCode(), res.Body())
		}
		want[id] = place
	}
	portland, paris := identity.Place{Country: "US", Region: "US-OR", City: "5746545"}, identity.Place{Country: "FR", Region: "FR-IDF", City: "2988507"}
	f("looked up", "10.0.0.1", "203.0.113.9", "", "", "", portland)
	f("looked up v6", "10.0.0.1", "2001:db8:1::77", "", "", "", paris)
	f("without a proxy", "203.0.113.9", "", "", "", "", portland)
	f("told", "10.0.0.1", "203.0.113.9", "BR", "SP", "S%C3%A3o%20Paulo", identity.Place{Country: "BR", Region: "BR-SP", City: "São Paulo"})
	f("told by a stranger", "203.0.113.9", "", "BR", "SP", "S%C3%A3o%20Paulo", portland)
	f("told in part", "10.0.0.1", "203.0.113.9", "US", "", "", portland)
	f("told by name", "10.0.0.1", "203.0.113.9", "US", "OR", "Portland", portland)
	f("told otherwise", "10.0.0.1", "203.0.113.9", "DE", "", "", identity.Place{Country: "DE"})
	f("told nonsense", "10.0.0.1", "203.0.113.9", "XX", "\xff", "a%0Ab", portland)
	f("told at length", "10.0.0.1", "203.0.113.9", "US", "US-OR", strings.Repeat("x", 1000), portland)
	f("nowhere", "10.0.0.1", "192.0.2.1", "", "", "", identity.Place{})
	f("at home", "10.0.0.1", "10.9.9.9, 10.8.8.8", "", "", "", identity.Place{})
	// A trusted sender's visitors are where their own addresses are, whatever the way to here says.
	res := call(c, loopback, "POST", "/v1/events", `[{"site":"a.example","name":"x","id":"given","ip":"2001:db8:1::5"},{"site":"a.example","name":"x","id":"given 2","ip":"203.0.113.4"}]`)
	if res.StatusCode() != 202 {
		t.Fatalf("%d %s", res.StatusCode(), res.Body())
	}
	want["given"], want["given 2"] = paris, portland
	c.Close()
	got := map[string]identity.Place{}
	for _, r := range readAll(t, cluster) {
		for _, addr := range []string{"203.0.113.", "2001:db8:", "192.0.2.", "10.0.0.1", "10.9.9.9", "127.0.0.1"} {
			if bytes.Contains(r.value, []byte(addr)) || strings.Contains(r.key, addr) {
				t.Errorf("%s is in Kafka: %s", addr, r.value)
			}
		}
		for _, e := range allEvents([]record{r}) {
			got[e.ID] = identity.Place{Country: e.Country, Region: e.Region, City: e.City}
		}
	}
	for id, place := range want {
		if got[id] != place {
			t.Errorf("%s: got %+v, want %+v", id, got[id], place)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d events, want %d", len(got), len(want))
	}
}
