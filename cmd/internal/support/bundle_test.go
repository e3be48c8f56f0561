package support

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/internal/site"
)

// unpack returns the files of a bundle, by name.
func unpack(t *testing.T, body io.Reader) map[string]string {
	t.Helper()
	packed, err := gzip.NewReader(body)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for in := tar.NewReader(packed); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(h.Name, "millrace-support/")] = string(text)
	}
}

// TestBundle: everything is there, and no name of a site is unless it is asked for.
func TestBundle(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "sites.yaml")
	text := "sites:\n  shop.example.com:\n    goals:\n      - {name: Order, event: purchase}\n  blog.shop.example.com: {}\n"
	data := filepath.Join(dir, "data")
	if err := errors.Join(os.WriteFile(config, []byte(text), 0o600), os.MkdirAll(filepath.Join(data, "lake", "dt=2026"), 0o700),
		os.WriteFile(filepath.Join(data, "lake", "dt=2026", "x"), make([]byte, 1000), 0o600)); err != nil {
		t.Fatal(err)
	}
	sites, err := site.Read(site.Config{File: config, SkipKeyFiles: true})
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	events := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "events_total", Help: "Events."}, []string{"site"})
	registry.MustRegister(events)
	for _, s := range []string{"shop.example.com", "unconfigured.example", "(other)"} {
		events.WithLabelValues(s).Add(3)
	}
	var lines Lines
	log := slog.New(lines.Keep(slog.NewTextHandler(io.Discard, nil)))
	for i := range mostLines + 10 {
		log.Info("a line", "n", i)
	}
	log.Debug("not kept")
	log.With("a", 1).Error("wrong number", "site", "only.in.the.log.example", "why", "of blog.shop.example.com")
	o := Options{
		Version: "1.2.3", Settings: map[string]any{"roles": []string{"collect"}}, Sites: func() *site.Sites { return sites }, Metrics: registry,
		Ready: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, r.URL, "no  emit: shop.example.com is unhappy")
		}),
		Lines: &lines, Topics: func(context.Context) (any, error) { return nil, errors.New("no brokers for shop.example.com") }, Data: data,
	}
	bundle := func(query string) map[string]string {
		w := httptest.NewRecorder()
		New(o).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/support"+query, nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return unpack(t, bytes.NewReader(w.Body.Bytes()))
	}
	files := bundle("")
	var got []string
	for name, text := range files {
		got = append(got, name)
		if strings.Contains(text, "example") {
			t.Errorf("%s has a name of a site:\n%s", name, text)
		}
	}
	slices.Sort(got)
	want := "[data.json goroutines.txt heap.pb.gz log.txt machine.json metrics.txt readyz.txt settings.json sites.json topics.json.error.txt version.txt]"
	if fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	for name, want := range map[string]string{
		"version.txt": "millrace 1.2.3", "settings.json": "collect", "readyz.txt": "503\n/readyz?verbose no  emit: site-", "metrics.txt": `events_total{site="(other)"} 3`,
		"log.txt": fmt.Sprintf("msg=\"a line\" n=%d\n", mostLines+9), "data.json": `"lake": {
      "files": 1,
      "bytes": 1000`, "goroutines.txt": "goroutine profile", "machine.json": "gomaxprocs", "sites.json": `"goals": 1`,
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%q is not in %s:\n%s", want, name, files[name])
		}
	}
	if n := strings.Count(files["log.txt"], "\n"); n != mostLines || strings.Contains(files["log.txt"], "not kept") {
		t.Errorf("%d lines of the log", n)
	}
	// One name throughout a bundle, another one in the next.
	name := func(files map[string]string) string {
		_, rest, _ := strings.Cut(files["readyz.txt"], "emit: ")
		name, _, _ := strings.Cut(rest, " ")
		return name
	}
	if shop := name(files); len(shop) != len("site-01234567") || !strings.Contains(files["metrics.txt"], shop) || !strings.Contains(files["sites.json"], shop) {
		t.Errorf("%q in readyz, %s %s", shop, files["metrics.txt"], files["sites.json"])
	}
	if name(files) == name(bundle("")) {
		t.Error("two bundles have the same names")
	}
	files = bundle("?names=yes")
	for _, f := range []string{"sites.json", "metrics.txt", "readyz.txt"} {
		if !strings.Contains(files[f], "shop.example.com") {
			t.Errorf("%s lacks the name that was asked for:\n%s", f, files[f])
		}
	}
}
