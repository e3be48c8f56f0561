package server

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"millrace/cmd/internal/check"
	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/roles"
	"millrace/internal/broker"
	"millrace/internal/certstest"
	"millrace/internal/kafka"
	"millrace/internal/lockfile"
)

// mustProbe tries what options name, and wants a line.
func mustProbe(t *testing.T, o *Options, failed int, want string) {
	t.Helper()
	if o.Data == "" {
		o.Data = t.TempDir()
	}
	if len(o.Roles) == 0 {
		o.Roles = roles.All()
	}
	var out strings.Builder
	wrong, untried := check.Run(t.Context(), &out, o.Probes())
	if got := wrong + untried; got != failed || !regexp.MustCompile("(?m)^"+want).MatchString(out.String()) {
		t.Errorf("%d failed or were not tried, want %d, and a line %s:\n%s", got, failed, want, &out)
	}
	if strings.Contains(out.String(), "hush") {
		t.Errorf("a secret is shown:\n%s", &out)
	}
}

func TestProbeFolder(t *testing.T) {
	dir := t.TempDir()
	f := func(path string, failed int, want string) {
		t.Helper()
		mustProbe(t, &Options{Data: path}, failed, want)
	}
	f(dir, 0, `(ok|warn) +data folder +`+dir+` can be written, `)
	f(filepath.Join(dir, "a", "b"), 0, `(ok|warn) +data folder +`+dir+`/a/b can be made, `)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f(file, 1, `FAIL +data folder +`+file+` is no folder`)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	lock, err := lockfile.Open(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	f(dir, 0, `(ok|warn) +data folder +`+dir+` is in use`)
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("left %v, %v", files, err)
	}
}

func TestProbeAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := l.Addr().String()
	mustProbe(t, &Options{Listen: taken, Roles: []string{roles.Query}}, 0, `warn +listen +`+taken+` is in use`)
	mustProbe(t, &Options{Admin: taken}, 0, `warn +admin +`+taken+` is in use`)
	mustProbe(t, &Options{Listen: taken, Roles: []string{roles.Process}}, 0, `(ok|warn) +data folder`)
	mustProbe(t, &Options{Admin: "192.0.2.1:1"}, 1, `FAIL +admin +--admin: .*192\.0\.2\.1:1`)
	l.Close()
	mustProbe(t, &Options{Admin: taken}, 0, `ok +admin +`+taken+` can be listened on`)
}

func TestProbeCertificate(t *testing.T) {
	a := certstest.New(t)
	f := func(left time.Duration, failed int, want string) {
		t.Helper()
		cert, key := a.Write(t, t.TempDir(), time.Now().Add(left), "localhost")
		mustProbe(t, &Options{TLSCert: cert, TLSKey: key}, failed, want)
	}
	f(23*time.Hour, 0, `warn +certificate +.*is good for 0 days: renew it`)
	f(-time.Hour, 1, `FAIL +certificate +.*has expired`)
	cert, key := a.Write(t, t.TempDir(), time.Now().Add(-time.Hour), "localhost")
	mustProbe(t, &Options{AdminTLSCert: cert, AdminTLSKey: key}, 1, `FAIL +admin certificate +.*has expired`)
}

// Each address of --kafka is tried by itself: one that is wrong must not show by chance.
func TestProbeKafka(t *testing.T) {
	b, err := broker.Open(broker.Options{Dir: t.TempDir(), TCP: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	broker, nobody := b.Addrs()[0], gone.Addr().String()
	o := &Options{Roles: []string{roles.Collect}, Access: AccessOptions{Secret: make([]byte, datadir.SecretSize)}}
	o.Kafka.Brokers, o.Kafka.Security = []string{broker, nobody}, &kafka.Security{}
	mustProbe(t, o, 1, `FAIL +kafka address `+nobody+` +`+nobody+` is one of the addresses of --kafka: .*connection refused`)
	mustProbe(t, o, 1, `ok +kafka address `+broker+`$`)
	o.Kafka.Brokers = []string{broker}
	mustProbe(t, o, 0, `ok +kafka +1 broker,`)
	o.Access.Secret = nil
	mustProbe(t, o, 0, `warn +secret +collectors at a Kafka cluster`)
}

func TestProbeArchive(t *testing.T) {
	mustProbe(t, &Options{S3: filepath.Join(t.TempDir(), "lake")}, 0, `ok +archive +folder .* can be written`)
	mustProbe(t, &Options{S3: "s3://k:hush@127.0.0.1:1/bucket"}, 1, `FAIL +archive +.*can't be reached`)
	mustProbe(t, &Options{S3: "s3://k:hush@127.0.0.1:1/bucket", Roles: []string{roles.Process}}, 1, `FAIL +archive +.*can't be reached`)
}

// fakeInflux answers as a version does, as far as check asks.
type fakeInflux struct {
	header, body string // of /ping
	policies     string // rows of SHOW RETENTION POLICIES
	refuse       string // what is refused: write or query
	missing      bool   // the database, until it is made
}

func (f *fakeInflux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.FormValue("q")
	switch {
	case r.URL.Path == "/ping":
		if f.header != "" {
			w.Header().Set("X-Influxdb-Version", f.header)
		}
		fmt.Fprint(w, f.body)
	case f.refuse != "" && strings.HasSuffix(r.URL.Path, f.refuse):
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"error":"not allowed"}`)
	case strings.HasPrefix(q, "SHOW DATABASES") && !f.missing:
		fmt.Fprint(w, `{"results":[{"series":[{"name":"databases","columns":["name"],"values":[["db"]]}]}]}`)
	case strings.HasPrefix(q, "CREATE DATABASE"):
		f.missing = false
		fmt.Fprint(w, `{"results":[{}]}`)
	case r.URL.Path == "/write" && f.missing:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":"database not found: \"db\""}`)
	case strings.HasPrefix(q, "SHOW RETENTION"):
		fmt.Fprintf(w, `{"results":[{"series":[{"columns":["name","duration","default"],"values":[%s]}]}]}`, f.policies)
	case r.URL.Path == "/query":
		fmt.Fprint(w, `{"results":[{}]}`)
	}
}

func TestProbeInflux(t *testing.T) {
	const ever = `["autogen","0s",true],["short","24h0m0s",false]`
	f := func(fake *fakeInflux, settings string, failed int, want string) {
		t.Helper()
		s := httptest.NewServer(fake)
		defer s.Close()
		mustProbe(t, &Options{Influx: strings.Replace(s.URL, "//", "//u:hush@", 1) + "/db" + settings}, failed, want)
	}
	f(&fakeInflux{header: "1.8.10", policies: ever}, "", 0, `ok +influxdb +InfluxDB 1\.8\.10$`)
	f(&fakeInflux{header: "v2.7.11", policies: ever}, "", 0, `ok +influxdb +InfluxDB 2\.7\.11$`)
	f(&fakeInflux{body: `{"version":"3.4.1"}`, policies: ever}, "", 0, `ok +influxdb +InfluxDB 3\.4\.1$`)
	f(&fakeInflux{header: "unknown", policies: ever}, "", 0, `ok +influxdb +InfluxDB of an unknown version$`)
	f(&fakeInflux{body: "hello", policies: ever}, "", 3, `FAIL +influxdb +.*is another server`)
	f(&fakeInflux{header: "1.8.10", policies: ever}, "", 0, `ok +influxdb rights +.*/db can be written and read$`)
	f(&fakeInflux{header: "1.8.10", policies: ever, missing: true}, "", 0, `warn +influxdb rights +.*/db was not there, and has been made: is its name right\?`)
	f(&fakeInflux{header: "1.8.10", policies: ever, refuse: "write"}, "", 1, `FAIL +influxdb rights +write to .*not allowed`)
	f(&fakeInflux{header: "1.8.10", policies: ever}, "", 0, `ok +influxdb retention +rollups are kept for ever`)
	f(&fakeInflux{header: "1.8.10", policies: ever}, "?rp=short", 0, `warn +influxdb retention +the server removes rollups after 1 days`)
	f(&fakeInflux{header: "1.8.10", policies: ever}, "?rp=none", 0, `warn +influxdb retention +not known: .*no such`)
}
