package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"millrace/emit/lake"
	"millrace/engine/event"
	"millrace/ingest/geo/geotest"
)

// TestPlacesToAnswer posts beacons as a proxy passes them on: by their addresses, the file of places and the proxy's headers
// they are counted by region and city, under codes and under names; and the addresses are in no file.
func TestPlacesToAnswer(t *testing.T) {
	t.Parallel()
	mmdb := filepath.Join(t.TempDir(), "city.mmdb")
	geotest.Write(t, mmdb, geotest.File{IPVersion: 4, Networks: map[string]any{
		"203.0.113.0/25":   geotest.City("US", "OR", "Oregon", 5746545, "Portland"),
		"203.0.113.128/25": geotest.City("US", "ME", "Maine", 4975802, "Portland"),
	}})
	mmdb6 := filepath.Join(t.TempDir(), "city6.mmdb")
	geotest.Write(t, mmdb6, geotest.File{Networks: map[string]any{
		"2001:db8:1::/48": geotest.City("FR", "IDF", "Île-de-France", 2988507, "Paris"),
	}})
	at := localPlace(t)
	s := mustServe(t, at, "--sites", "shop.example.com", "--trusted-proxies", "127.0.0.1", "--geo-mmdb", mmdb+","+mmdb6, "--region-header", "X-Region",
		"--city-header", "X-City", "--country-header", "X-Country", "--early", "500ms", "--archive-every", "1s")
	addrs := []string{"203.0.113.7", "203.0.113.200", "2001:db8:1::abcd", "198.51.100.23"}
	for i, addr := range addrs {
		req, err := http.NewRequest("POST", s.url+"/api/event", strings.NewReader(
			`{"n":"pageview","u":"https://shop.example.com/lamps","d":"shop.example.com"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("User-Agent", firefox)
		req.Header.Set("X-Forwarded-For", addr)
		if i == 3 { // of whom the file knows nothing
			req.Header.Set("X-Country", "AT")
			req.Header.Set("X-Region", "9")
			req.Header.Set("X-City", "2761369")
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			t.Fatalf("%s: status %d", addr, resp.StatusCode)
		}
	}
	for dim, want := range map[string]map[string]float64{
		"visit:city":        {"5746545": 1, "4975802": 1, "2988507": 1, "2761369": 1},
		"visit:city_name":   {"Portland": 2, "Paris": 1, "2761369": 1},
		"visit:region":      {"US-OR": 1, "US-ME": 1, "FR-IDF": 1, "AT-9": 1},
		"visit:region_name": {"Oregon": 1, "Maine": 1, "Île-de-France": 1, "AT-9": 1},
	} {
		waitFor(t, 20*time.Second, func() error {
			a, err := s.ask(map[string]any{"site_id": "shop.example.com", "metrics": []string{"visitors"}, "date_range": aroundNow(), "dimensions": []string{dim}})
			if err != nil {
				return err
			}
			got := map[string]float64{}
			for _, r := range a.Results {
				got[r.Dimensions[0]] = r.Metrics[0]
			}
			if !reflect.DeepEqual(got, want) {
				return fmt.Errorf("%s: %v, want %v", dim, got, want)
			}
			return nil
		})
	}
	mustArchive(t, at, int64(len(addrs)))
	s.mustStop(t)
	cities := map[string]string{}
	eachArchived(t, at, func(e *event.Event) { cities[e.City] = e.Country + " " + e.Region })
	if want := map[string]string{"5746545": "US US-OR", "4975802": "US US-ME", "2988507": "FR FR-IDF", "2761369": "AT AT-9"}; !reflect.DeepEqual(cities, want) {
		t.Errorf("the archive has %v, want %v", cities, want)
	}
	mustLack(t, at.data, addrs...)
	for _, addr := range addrs {
		if strings.Contains(s.stderr.String()+s.stdout.String(), addr) {
			t.Errorf("%s is in the output:\n%s", addr, s.stderr.String())
		}
	}
}

// eachArchived calls f for every event in the archive.
func eachArchived(t *testing.T, at place, f func(*event.Event)) {
	t.Helper()
	archive, err := at.lake()
	if err != nil {
		t.Fatal(err)
	}
	hours, err := archive.Hours(t.Context(), 0, event.TimeOf(time.Now())+event.Hour)
	for _, h := range hours {
		err = errors.Join(err, archive.ReadHour(t.Context(), h.Start, "", func(e *event.Event, _ lake.Source) error { f(e); return nil }))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// mustLack looks for texts in every file below a folder. Compressed ones it can't look into; the log, from which all else is
// made, is looked at by the collector's own test.
func mustLack(t *testing.T, dir string, texts ...string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		files++
		for _, text := range texts {
			if bytes.Contains(content, []byte(text)) {
				t.Errorf("%s has %s", path, text)
			}
		}
		return err
	})
	if err != nil || files == 0 {
		t.Fatalf("%d files, %v", files, err)
	}
}

// TestGeoFileIsRefused: serve does not start with a file of places that is none.
func TestGeoFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	asn := filepath.Join(dir, "asn.mmdb")
	geotest.Write(t, asn, geotest.File{Type: "GeoLite2-ASN", Networks: map[string]any{"203.0.113.0/24": geotest.Map{"autonomous_system_number": 64496}}})
	text := filepath.Join(dir, "text.mmdb")
	if err := os.WriteFile(text, []byte("203.0.113.0/24,US\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(path, want string) {
		t.Helper()
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--geo-mmdb", path},
			strings.NewReader(""), &out, &errs)
		if want := fmt.Sprintf("millrace: --geo-mmdb: open geo database %q: %s", path, want); code != exitError || !strings.Contains(errs.String(), want) {
			t.Errorf("exit code %d\n%swant %s", code, errs.String(), want)
		}
	}
	f(filepath.Join(dir, "missing.mmdb"), "no such file or directory")
	f(text, "it is no MaxMind DB file, or cut short")
	f(asn, `it is of the type "GeoLite2-ASN", whose records name neither country nor region nor city`)
}
