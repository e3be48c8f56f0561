package server

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/internal/site"
)

// taker takes sites as a collector does.
type taker struct {
	got *site.Sites
	err error
}

func (c *taker) SetSites(s *site.Sites) error {
	if c.err == nil {
		c.got = s
	}
	return c.err
}

// TestLiveSites: a changed file comes into force as a whole, but for what is counted by; a broken one
// changes nothing, and log and metrics show it.
func TestLiveSites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sites.yaml")
	write := func(text string) {
		t.Helper()
		// As the documents say: the file is replaced at once.
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	const key = "0123456789abcdef"
	keys := filepath.Join(filepath.Dir(path), "keys")
	if err := os.WriteFile(keys, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	write("sites: {a.example: {time_zone: Europe/Berlin}}")
	source := site.NewSource(site.Config{File: path, Listen: ":0"})
	start, _, err := source.Read()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	l := newLiveSites(&AccessOptions{Sites: start, SitesFile: source}, slog.New(slog.NewTextHandler(&log, nil)))
	c := &taker{}
	l.collector = c
	registry := prometheus.NewRegistry()
	l.register(registry)

	// check looks twice, as contents have to be seen twice, and wants what is in force then and what the log has.
	check := func(known, zone string, valid float64, allowed bool, logged ...string) {
		t.Helper()
		log.Reset()
		l.look()
		l.look()
		if got := strings.Join(l.known(), ","); got != known || l.get().Of("a.example").TimeZone.String() != zone {
			t.Errorf("known: %s, want %s; zone %s, want %s", got, known, l.get().Of("a.example").TimeZone, zone)
		}
		if l.Allow(key, "a.example") != allowed {
			t.Errorf("the key is good: %v, want %v", !allowed, allowed)
		}
		families, err := registry.Gather()
		if err != nil || len(families) != 3 || families[1].GetName() != "millrace_sites_file_valid" || families[2].GetName() != "millrace_sites_file_waiting" {
			t.Fatal(families, err)
		}
		if got := families[1].Metric[0].Gauge.GetValue(); got != valid {
			t.Errorf("valid: %v, want %v", got, valid)
		}
		if families[0].Metric[0].Gauge.GetValue() < 1e9 {
			t.Error("there is no time of loading")
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if !slices.EqualFunc(lines, append([]string{}, logged...), strings.Contains) && (len(logged) > 0 || log.Len() > 0) {
			t.Errorf("logged %q, want %q", lines, logged)
		}
		if strings.Contains(log.String(), key) {
			t.Error("the log shows a key")
		}
	}
	const in, refused = `level=INFO msg="the file of sites is in force"`, `level=ERROR msg="the file of sites is refused, and the one before stays in force"`
	check("a.example", "Europe/Berlin", 1, false)
	write("sites: {a.example: {time_zone: Asia/Tokyo, query_keys_file: keys}, b.example: {aliases: [7]}}")
	check("a.example,b.example", "Asia/Tokyo", 1, true, in)
	if n := c.got.Named(); len(n) != 2 || n[1].Tokens[0] != "7" {
		t.Errorf("%+v", n)
	}
	check("a.example,b.example", "Asia/Tokyo", 1, true)
	write("sites: {a.example: {timezone: UTC, shards: 0}}")
	check("a.example,b.example", "Asia/Tokyo", 0, true, refused)
	check("a.example,b.example", "Asia/Tokyo", 0, true) // once
	waits := func(want float64, remark string) {
		t.Helper()
		families, err := registry.Gather()
		if got := families[2].Metric[0].Gauge.GetValue(); got != want || err != nil || !strings.Contains(l.remark(), remark) {
			t.Errorf("%v settings wait, want %v; %q, want %q", got, want, l.remark(), remark)
		}
	}
	waits(0, "refused")
	write("sites: {a.example: {shards: 4, goals: [{name: Order, event: purchase}]}}")
	check("a.example", "UTC", 1, false, in, `level=WARN msg="a part of the file of sites waits for the next start`)
	if waits(2, "shards of a.example, goals of a.example change when serve is started again"); !strings.Contains(log.String(), "millrace replay --sites-file") {
		t.Errorf("the log does not say what is to be done: %s", &log)
	}
	if of := c.got.Named()[0]; of.Shards != 0 || len(of.Goals) > 0 {
		t.Errorf("%+v", of)
	}
	c.err = errors.New("no")
	write("any_site: true")
	check("a.example", "UTC", 0, false, refused)
	c.err = nil
	write("any_site: true\ndefaults: {time_zone: UTC}")
	check("", "UTC", 1, false, in, `level=INFO msg="no part of the file of sites waits`)
	waits(0, "in force")
	if l.known() != nil || !c.got.Any {
		t.Error("not any site is known")
	}
}
