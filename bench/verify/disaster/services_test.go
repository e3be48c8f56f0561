//go:build disaster

package disaster

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// onServices are played with the servers that deploy/dev-services.sh starts. One may play a section
// once more that has a play without them.
var onServices = []play{
	{"InfluxDB is lost", playInflux},
	{"The bucket is lost", playRealBucket},
}

func TestDisastersOnServices(t *testing.T) { playAll(t, onServices) }

// mustService returns the address of a server that deploy/dev-services.sh has started, with another
// path.
func mustService(t *testing.T, variable string, path func(old, name string) string) *url.URL {
	t.Helper()
	address := os.Getenv(variable)
	if address == "" {
		t.Skip(variable + " not set: run deploy/dev-services.sh up")
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = path(u.Path, fmt.Sprintf("disaster_%d_%d", os.Getpid(), time.Now().UnixNano()))
	return u
}

// playInflux has the database of a running service deleted.
func playInflux(t *testing.T, title string) {
	db := mustService(t, "MILLRACE_TEST_INFLUX", func(_, name string) string { return "/" + name })
	name := strings.TrimPrefix(db.Path, "/")
	drop := func() {
		resp, err := http.PostForm(db.Scheme+"://"+db.Host+"/query", url.Values{"q": {"DROP DATABASE " + name}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
	}
	t.Cleanup(drop)
	addr, _, _ := mustBroker(t, t.TempDir())
	words := append(bucket(t), kafkaAddress, addr, "i1:8086/millrace", db.Host+db.Path, "i1:8086", db.Host, "DATABASE millrace", "DATABASE "+name)
	d := newStage(t, title, options{clusterConfig + "influx: http://i1:8086/millrace\n", words})
	d.start()
	d.importOld()
	d.send(*events)
	d.archived(d.acked())
	d.counted(0)
	drop()
	// Of this second: no other window fires again by itself.
	d.sendTimes(more(), time.Now().Add(-time.Second), time.Second)
	d.commands(0)
	d.repaired(0)
	if err := d.hasOld(); err != nil {
		t.Error(err)
	}
	d.send(more())
	d.archived(d.acked())
	d.counted(0)
	d.verified()
	d.done()
}

// playRealBucket is playBucket with a real server.
func playRealBucket(t *testing.T, title string) {
	b := mustService(t, "MILLRACE_TEST_S3", func(old, name string) string { return old + "/" + name })
	playBucketAt(t, title, []string{"s3://s3.example.com/archive", b.String()})
}

// old is how many page views importOld imports, and oldSite of which site.
const (
	old     = 100
	oldSite = "old.example"
)

// importOld imports an access log of years ago: the archive has it, and Kafka has not.
func (d *stage) importOld() {
	d.t.Helper()
	var log strings.Builder
	for i := range old {
		fmt.Fprintf(&log, "203.0.113.%d - - [18/May/2015:10:%02d:%02d +0000] \"GET /%d HTTP/1.1\" 200 512 \"-\" %q\n", 1+i%50, i/60, i%60, i, firefox)
	}
	d.write("srv/access.log", log.String())
	if out, err := d.sh("millrace import --config /etc/millrace/millrace.yaml --format combined --site " + oldSite + " /srv/access.log"); err != nil {
		d.t.Fatalf("%v\n%s", err, out)
	}
	if err := d.hasOld(); err != nil {
		d.t.Fatal(err)
	}
}

// hasOld returns an error if the numbers of the import are not there.
func (d *stage) hasOld() error {
	n, err := d.pageviews(oldSite, "2015-05-18T00:00:00Z", "2015-05-19T00:00:00Z")
	if err == nil && n != old {
		err = fmt.Errorf("%s has %d page views of 2015, want %d", oldSite, n, old)
	}
	return err
}
