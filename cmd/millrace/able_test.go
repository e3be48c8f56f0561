package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"millrace/internal/broker"
)

// pointsServer takes what emit writes the way InfluxDB does, and has nothing to read.
type pointsServer struct {
	mu      sync.Mutex      // guards what follows
	refuses bool            // 401 to everybody
	sites   map[string]bool // of which there are points, or what else match finds
	match   *regexp.Regexp  // siteTag if nil
}

// seen returns what has been found since the last forget.
func (p *pointsServer) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.sites))
}

func (p *pointsServer) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.sites)
}

func (p *pointsServer) refuse(refuses bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = refuses
}

var siteTag = regexp.MustCompile(`(?m)^totals,site=([^, ]+)`)

func (p *pointsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.refuses:
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintln(w, `{"error":"authorization failed"}`)
	case r.URL.Path == "/query":
		fmt.Fprintln(w, `{"results":[{"statement_id":0}]}`)
	default:
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body)
		}
		lines, _ := io.ReadAll(body)
		for _, m := range cmp.Or(p.match, siteTag).FindAllSubmatch(lines, -1) {
			p.sites[string(m[1])] = true
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// mustTake sends beacons of some new sites, which lie in all partitions, and waits for their points.
func (p *pointsServer) mustTake(t *testing.T, s *serving, prefix string) {
	t.Helper()
	const sites = 24
	for i := range sites {
		mustBeacon(t, s, fmt.Sprintf("%s%d.example", prefix, i), i)
	}
	waitFor(t, 20*time.Second, func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		for i := range sites {
			if site := fmt.Sprintf("%s%d.example", prefix, i); !p.sites[site] {
				return fmt.Errorf("no points of %s", site)
			}
		}
		return nil
	})
}

func mustPointsServer(t *testing.T, refuses bool) (p *pointsServer, url string) {
	p = &pointsServer{refuses: refuses, sites: map[string]bool{}}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return p, s.URL
}

// readyz returns the answer with reasons.
func (s *serving) readyz() (code int, body string) {
	code, body, err := get(s.admin + "/readyz?verbose")
	if err != nil {
		return 0, err.Error()
	}
	return code, body
}

// TestMisconfiguredTakesNoPartitions starts, beside a process that emits and archives, others that can't: with a wrong password,
// with an address where something else listens, with a port where nothing listens, with keys that a bucket refuses. None of them
// is ready, each says why, and the first goes on with all partitions.
func TestMisconfiguredTakesNoPartitions(t *testing.T) {
	t.Parallel()
	b := mustBroker(t, t.TempDir())
	good, goodURL := mustPointsServer(t, false)
	_, refusing := mustPointsServer(t, true)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "<html>Welcome</html>") }))
	t.Cleanup(page.Close)
	bucket := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<?xml version="1.0"?><Error><Code>InvalidAccessKeyId</Code><Message>no such key</Message></Error>`)
	}))
	t.Cleanup(bucket.Close)
	nowhere := mustListen(t)
	nowhere.Close()

	at := place{data: t.TempDir(), kafka: b.Addrs()[0], influx: goodURL + "/db"}
	able := mustServe(t, at, "--roles", "collect,process,emit,archive", "--s3", "file://"+t.TempDir(), "--sites", "any", "--early", "500ms")
	good.mustTake(t, able, "before")
	f := func(role, want string, flags ...string) {
		t.Helper()
		bad := place{data: t.TempDir(), kafka: at.kafka}
		s, err := launchServer(t, append(append(bad.args("serve"), "--roles", role), flags...))
		if err != nil {
			t.Fatal(err)
		}
		waitFor(t, 20*time.Second, func() error {
			code, body := s.readyz()
			if code != http.StatusServiceUnavailable || !strings.Contains(body, "no  "+role+": ") || !strings.Contains(body, want) {
				return fmt.Errorf("%d\n%s\nwant %q", code, body, want)
			}
			return nil
		})
		if _, body := s.readyz(); strings.Contains(body, "s3cret") || strings.Contains(s.stderr.String(), "s3cret") {
			t.Errorf("a secret is shown:\n%s%s", body, s.stderr.String())
		}
	}
	withPassword := func(address, scheme string) string {
		_, host, _ := strings.Cut(address, "://")
		return scheme + "://user:s3cret@" + host
	}
	f("emit", "401 Unauthorized: authorization failed", "--influx", withPassword(refusing, "http")+"/db")
	f("emit", "read from InfluxDB", "--influx", withPassword(page.URL, "http")+"/db")
	f("emit", "connection refused", "--influx", withPassword("http://"+nowhere.Addr().String(), "http")+"/db")
	f("archive", "the server refuses the credentials", "--s3", withPassword(bucket.URL, "s3")+"/bucket")
	f("query", "401 Unauthorized", "--influx", withPassword(refusing, "http")+"/db")
	good.mustTake(t, able, "after")
}

// TestAbleLater: a role takes its partitions, and is ready, once its database lets it.
func TestAbleLater(t *testing.T) {
	t.Parallel()
	b := mustBroker(t, t.TempDir())
	db, url := mustPointsServer(t, true)
	at := place{data: t.TempDir(), kafka: b.Addrs()[0], influx: url + "/db"}
	s, err := launchServer(t, append(at.args("serve"), "--roles", "collect,process,emit", "--early", "500ms"))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, 20*time.Second, func() error {
		if code, body := s.readyz(); code != http.StatusServiceUnavailable || !strings.Contains(body, "no  emit: write to InfluxDB") {
			return fmt.Errorf("%d %s", code, body)
		}
		return nil
	})
	// Beacons are taken meanwhile, and a balancer that looks at the collector alone sends them.
	mustBeacon(t, s, "a.example", 1)
	waitFor(t, 20*time.Second, func() error {
		if code, body, err := get(s.admin + "/readyz?role=collect"); err != nil || code != http.StatusOK {
			return fmt.Errorf("%d %s %v", code, body, err)
		}
		return nil
	})
	db.refuse(false)
	if err := s.waitReady(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	db.mustTake(t, s, "later")
}

// TestSilentKafka: a process whose Kafka has not answered for a while is not ready, and is again once it does.
func TestSilentKafka(t *testing.T) {
	if !*long {
		t.Skip("a while is 15 s; -long waits for it")
	}
	t.Parallel()
	dir := t.TempDir()
	b, err := broker.Open(broker.Options{Dir: dir, TCP: true, Logger: discardLog()})
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(b.Addrs()[0])
	at := place{data: t.TempDir(), kafka: b.Addrs()[0]}
	s := mustServe(t, at, "--roles", "collect,process")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 40*time.Second, func() error {
		code, body := s.readyz()
		if code != http.StatusServiceUnavailable || !strings.Contains(body, "no  kafka: not for ") || !strings.Contains(body, "yes collect: Kafka has acknowledged no record for ") {
			return fmt.Errorf("%d %s", code, body)
		}
		return nil
	})
	// The collector goes on, by its spool, and balancers may send to it.
	if code, body, err := get(s.admin + "/readyz?role=collect"); err != nil || code != http.StatusOK {
		t.Errorf("collector: %d %s %v", code, body, err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	b, err = broker.Open(broker.Options{Dir: dir, TCP: true, Port: n, Logger: discardLog()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	if err := s.waitReady(40 * time.Second); err != nil {
		t.Fatal(err)
	}
	mustBeacon(t, s, "a.example", 1)
}
