//go:build disaster

package disaster

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/emit/local"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/broker"
	"millrace/internal/kafka"
	"millrace/internal/testparallel"
)

// What is played, and how large: go test -v -tags disaster ./bench/verify/disaster -play -events 200000
var (
	playing = flag.Bool("play", false, "play the disasters; those with servers need what deploy/dev-services.sh and deploy/dev-kafka.sh start")
	events  = flag.Int("events", 4000, "events before a disaster")
)

func TestMain(m *testing.M) {
	testparallel.Raise()
	code := m.Run()
	if program != "" && os.Getenv("MILLRACE_TEST_BINARY") == "" {
		os.RemoveAll(filepath.Dir(program))
	}
	os.Exit(code)
}

// play is the test of a section.
type play struct {
	title string
	run   func(t *testing.T, title string)
}

// plays need nothing but this machine. They are in the order of the page.
var plays = []play{
	{"The engine's state is lost", playState},
	{"The rollup store is lost", playRollups},
	{"A collector's disk is lost while Kafka is away", playSpool},
	{"The archive is lost", playArchive},
	{"Objects of the archive are lost or damaged", playObjects},
	{"The machine is lost, its folder was copied", playFolder},
	{"The machine is lost, its archive was copied", playCopiedArchive},
	{"The machine is lost, its archive is in a bucket", playMachine},
	{"The clock was hours ahead", playClock},
	{"The time zone is wrong", playZone},
	{"A release counts wrong", playRelease},
	{"The bucket is lost", playBucket},
	{"Kafka is lost, or its topics", playKafka},
	{"Hits are lost, or which there are", playHits},
}

// TestTitles: each section of the page has a test, and each test a section.
func TestTitles(t *testing.T) {
	played := map[string]bool{}
	for _, p := range slices.Concat(plays, onServices, onKafka) {
		if played[p.title] = true; !slices.Contains(titles, p.title) {
			t.Errorf("%q is not among titles", p.title)
		}
	}
	for _, title := range titles {
		if !played[title] {
			t.Errorf("no test plays %q", title)
		}
	}
}

func TestDisasters(t *testing.T) { playAll(t, plays) }

// playAll plays disasters, several at a time.
func playAll(t *testing.T, list []play) {
	t.Helper()
	if !*playing {
		t.Skip("takes a minute; -play plays them")
	}
	for _, p := range list {
		t.Run(p.title, func(t *testing.T) {
			t.Parallel()
			p.run(t, p.title)
		})
	}
}

// more is how many events come after a copy or the archive was made.
func more() int { return *events / 10 }

// bucket is the page's address of a bucket, for stages whose bucket is a folder.
func bucket(t *testing.T) []string {
	return []string{"s3://s3.example.com/archive", "file://" + t.TempDir() + "/archive"}
}

func playState(t *testing.T, title string) {
	d := newStage(t, title, options{})
	d.start()
	d.send(*events)
	d.counted(0)
	d.kill()
	d.remove("var/lib/millrace/state")
	if err := os.MkdirAll(d.path("var/lib/millrace/state"), 0o700); err != nil { // an empty disk
		t.Fatal(err)
	}
	d.commands(0)
	d.send(more())
	d.repaired(0)
	d.archived(d.acked())
	d.byHits()
	d.verified()
	d.done()
}

func playRollups(t *testing.T, title string) {
	d := newStage(t, title, options{})
	d.start()
	d.send(*events)
	d.archived(d.acked())
	d.kill()
	d.remove("var/lib/millrace/rollups")
	d.commands(0)
	d.repaired(0)
	d.send(more())
	d.archived(d.acked())
	d.counted(0)
	d.verified()
	d.done()
}

// mustBroker starts a broker with a port, outside the program, and returns how to end it and to start
// it again.
func mustBroker(t *testing.T, dir string) (addr string, away, back func()) {
	t.Helper()
	var b *broker.Broker
	port := 0
	back = func() {
		var err error
		if b, err = broker.Open(broker.Options{Dir: dir, TCP: true, Port: port, Logger: slog.New(slog.DiscardHandler)}); err != nil {
			t.Fatal(err)
		}
	}
	back()
	_, text, err := net.SplitHostPort(b.Addrs()[0])
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	away = func() {
		if b != nil {
			b.Close()
		}
		b = nil
	}
	t.Cleanup(func() { away() })
	return b.Addrs()[0], away, back
}

// sendOnce sends page views as a script does that never sends again.
func (d *stage) sendOnce(n int) {
	d.t.Helper()
	const site = "once.example"
	for i := range n {
		body := fmt.Sprintf(`{"n":"pageview","u":"https://%s/%d","d":%q}`, site, i, site)
		req, err := http.NewRequest("POST", d.url+"/api/event", strings.NewReader(body))
		if err != nil {
			d.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "text/plain")
		req.Header.Set("User-Agent", firefox)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			d.t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			d.t.Fatalf("status %d\n%s", resp.StatusCode, d.log.String())
		}
		d.sent[site]++
	}
}

// clusterConfig is of a service on a Kafka of its own, with the archive in a bucket.
const clusterConfig = "kafka: k1:9092\nsession-timeout: 6s\ns3: s3://s3.example.com/archive\n"

func playSpool(t *testing.T, title string) {
	const spooled = 100
	addr, away, back := mustBroker(t, t.TempDir())
	d := newStage(t, title, options{clusterConfig, append(bucket(t), kafkaAddress, addr)})
	d.start()
	d.send(*events)
	d.archived(d.acked())
	away()
	d.sendOnce(spooled)
	d.kill()
	back()
	// The machine is another one, and has the old one's disk.
	if err := os.MkdirAll(d.path("srv/old-disk"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(d.path("var/lib/millrace"), d.path("srv/old-disk/millrace")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(d.path("var/lib/millrace"), 0o700); err != nil {
		t.Fatal(err)
	}
	d.commands(0)
	d.repaired(0)
	d.archived(d.acked())
	d.verified()
	away()
	d.sendOnce(spooled)
	d.kill()
	back()
	d.remove("var/lib/millrace")
	d.commands(1)
	d.repaired(spooled)
	d.done()
}

func playArchive(t *testing.T, title string) {
	d := newStage(t, title, options{})
	d.start()
	d.send(*events)
	d.archived(d.acked())
	d.counted(0)
	entries, err := os.ReadDir(d.path("var/lib/millrace/lake"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		d.remove("var/lib/millrace/lake/" + e.Name())
	}
	d.waitFor(patience, func() error {
		if !strings.Contains(d.log.String(), "the archive begins in the midst of the log") {
			return fmt.Errorf("nothing is said of it:\n%s", d.log.String())
		}
		return nil
	})
	d.send(more())
	d.counted(0)
	d.commands(0)
	d.archived(d.acked())
	d.repaired(0)
	d.byHits()
	d.verified()
	d.done()
}

func playObjects(t *testing.T, title string) {
	d := newStage(t, title, options{})
	d.start()
	d.send(*events)
	d.archived(d.acked())
	d.counted(0)
	d.commands(0) // the copy
	files, err := filepath.Glob(d.path("var/lib/millrace/lake/dt=2*/hr=*/*.parquet"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	slices.Reverse(files) // a partition that lacks its first files only could have lost them by age
	for i, file := range files {
		switch i {
		case 0:
			err = os.Remove(file)
		case 1:
			err = os.WriteFile(file, []byte("damaged"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	d.began = time.Time{}
	d.fails(1, filepath.Base(files[1]))
	if err := os.Remove(files[1]); err != nil { // which is what remains to be said of it
		t.Fatal(err)
	}
	d.fails(1, "the archive has lost events", "--incomplete")
	d.refused()
	d.counted(0)
	d.commands(2)
	d.repaired(0)
	d.verified()
	d.done()
}

// refused runs a replay that would take right numbers out of the store.
func (d *stage) refused() {
	d.t.Helper()
	out, err := d.sh("millrace replay --config /etc/millrace/millrace.yaml")
	if err == nil || !strings.Contains(out, "the archive has lost events") {
		d.t.Errorf("replay of an archive that has lost objects: %v\n%s", err, out)
	}
}

func playFolder(t *testing.T, title string) {
	d := newStage(t, title, options{})
	d.start()
	d.send(*events)
	d.commands(0) // the copy
	d.counted(0)
	d.send(more())
	d.kill()
	d.remove("var/lib/millrace")
	d.began = time.Time{}
	d.commands(1)
	d.repaired(more())
	d.lost(more())
	d.send(more())
	d.counted(0)
	d.archived(d.acked())
	d.byHits()
	d.verified()
	d.done()
}

// lost takes out of what has to be there events that a disaster has taken: the last n that were sent.
func (d *stage) lost(n int) {
	for i := range n {
		d.sent[siteName(i%sites)]--
	}
}

func playCopiedArchive(t *testing.T, title string) {
	d := newStage(t, title, options{})
	d.start()
	d.send(*events)
	d.archived(d.acked())
	d.commands(0) // the copy, while it runs
	d.send(more())
	d.kill()
	d.remove("var/lib/millrace")
	d.began = time.Time{}
	d.commands(1)
	d.repaired(more())
	d.done()
}

func playMachine(t *testing.T, title string) {
	d := newStage(t, title, options{"s3: s3://s3.example.com/archive\n", bucket(t)})
	d.start()
	d.commands(0) // the secret
	d.stop()
	old := d.path("srv/old")
	if err := os.CopyFS(old, os.DirFS(d.path("var/lib/millrace"))); err != nil { // yesterday's copy
		t.Fatal(err)
	}
	d.start()
	d.send(*events)
	d.archived(d.acked())
	d.send(more())
	d.kill()
	rows, err := d.rows()
	if err != nil {
		t.Fatal(err)
	}
	// With yesterday's log the archive is ahead of it.
	d.remove("var/lib/millrace")
	if err := os.Rename(old, d.path("var/lib/millrace")); err != nil {
		t.Fatal(err)
	}
	if err := d.tryStart(); err == nil || !strings.Contains(err.Error(), "the log was lost, cut short or made anew") {
		t.Errorf("with yesterday's log: %v", err)
	}
	d.kill()
	d.remove("var/lib/millrace")
	d.began = time.Time{}
	d.commands(1)
	d.repaired(d.acked() - int(rows))
	d.done()
}

// playClock has a collector whose clock was three hours ahead, and which is gone.
func playClock(t *testing.T, title string) {
	addr, _, _ := mustBroker(t, t.TempDir())
	d := newStage(t, title, options{"kafka: k1:9092\nsession-timeout: 6s\n", []string{kafkaAddress, addr}})
	cluster := kafka.Cluster{Brokers: []string{addr}}
	if err := cluster.EnsureTopics(t.Context(), kafka.Topic{Name: engine.EventsTopic, Partitions: 4}); err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for p := range int32(4) {
		value := event.AppendEnvelope(nil, "ahead", event.TimeOf(time.Now().Add(3*time.Hour)), nil)
		r := &kgo.Record{Topic: engine.EventsTopic, Partition: p, Key: []byte(event.Key(p)), Value: value}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	d.launch()
	d.waitFor(patience, func() error {
		if _, body := d.get(d.admin + "/readyz?verbose"); !strings.Contains(body, "behind the times that are in the log") {
			return fmt.Errorf("%s\n%s", body, d.log.String())
		}
		return nil
	})
	// Of the hour that runs nothing is counted before its end.
	d.sendTimes(*events, time.Now().Truncate(time.Hour).Add(-20*time.Minute), 20*time.Minute)
	d.archived(d.acked())
	d.waitFor(patience, func() error {
		if n, err := d.missing(); err != nil || n != d.acked() || !strings.Contains(d.log.String(), "events came later than --lateness") {
			return fmt.Errorf("%d of %d events are not counted, %v\n%s", n, d.acked(), err, d.log.String())
		}
		return nil
	})
	d.waitFor(4*time.Minute, func() error { // what fires beside it is left for the next time, and an hour that ended just now
		d.commands(0)
		n, err := d.missing()
		if err == nil && n > 0 {
			err = fmt.Errorf("%d events are not counted", n)
		}
		return err
	})
	d.repaired(0)
	d.verified()
	d.done()
}

func playZone(t *testing.T, title string) {
	d := newStage(t, title, options{"time-zone: Asia/Tokyo\n", nil})
	d.start()
	d.send(*events)
	d.counted(0)
	before := d.firstHour()
	d.commands(0)
	d.repaired(0)
	utc := d.firstHour()
	if off := before.Sub(utc); off != 9*time.Hour {
		t.Errorf("hours by the wrong zone are %v off", off)
	}
	d.done()
}

// firstHour is the first hour of an answer, as a dashboard labels it.
func (d *stage) firstHour() (first time.Time) {
	d.t.Helper()
	body := fmt.Sprintf(`{"site_id":%q,"metrics":["pageviews"],"date_range":["%s","%s"],"dimensions":["time:hour"],"order_by":[["time:hour","asc"]]}`,
		siteName(0), time.Now().UTC().Add(-3*time.Hour).Format(time.RFC3339), time.Now().UTC().Add(time.Hour).Format(time.RFC3339))
	resp, err := http.Post(d.url+"/api/v2/query", "application/json", strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	var a struct {
		Results []struct {
			Dimensions []string `json:"dimensions"`
		} `json:"results"`
		Error string `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || len(a.Results) == 0 {
		d.t.Fatalf("%v %+v", err, a)
	}
	if first, err = time.Parse(time.DateTime, a.Results[0].Dimensions[0]); err != nil {
		d.t.Fatal(err)
	}
	return first
}

func playRelease(t *testing.T, title string) {
	d := newStage(t, title, options{})
	d.start()
	// The wrong minute lies among the events: a replay without a range clears nothing before the
	// archive begins.
	began := time.Now().Add(-50 * time.Minute)
	d.sendTimes(*events, began, 10*time.Minute)
	d.archived(d.acked())
	d.counted(0)
	d.stop()
	// What a release that counts wrong leaves behind.
	store, err := local.Open(local.Options{Dir: d.path("var/lib/millrace/rollups"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var ws []*window.Window
	minute := event.TimeOf(began.Add(5 * time.Minute)).Floor(event.Minute)
	for i := range sites {
		for _, w := range []window.Window{{Kind: window.Minute, Start: minute}, {Kind: window.Hour, Start: minute.Floor(event.Hour)}} {
			w.Site, w.Final = siteName(i), true
			w.Points = []window.Point{{Family: window.Totals, Rollup: window.Rollup{Events: 1 << 40, Pageviews: 1 << 40}}}
			ws = append(ws, &w)
		}
	}
	if err := store.Replace(t.Context(), ws); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	d.start()
	if _, err := d.missing(); err == nil {
		t.Fatal("the numbers are not wrong")
	}
	d.commands(0)
	d.repaired(0)
	d.verified()
	d.done()
}
