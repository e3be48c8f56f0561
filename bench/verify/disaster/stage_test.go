//go:build disaster

package disaster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/emit/lake"
	"millrace/engine"
	"millrace/internal/blob"
	"millrace/internal/testlog"
)

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"

// stage is an installation of one disaster: the folders of a machine, and the service millrace.
type stage struct {
	t       *testing.T
	section *section
	root    string // in place of /
	env     []string
	words   *strings.Replacer // from the page's paths and addresses to the stage's
	url     string            // of beacons and queries
	admin   string

	cmd   *exec.Cmd     // of the service; nil: it is stopped
	ended chan struct{} // closed once it has ended
	log   testlog.Buffer

	units map[string]func() error // commands of systemctl for another service than millrace

	sent  map[string]int // events that were answered with 2xx, by site
	began time.Time      // of the repair
}

// options of a stage: more lines of the service's config, and more addresses of the page.
type options struct {
	config string
	words  []string
}

// newStage installs the program with what a page's reader has: a config file, a data folder, a
// service.
func newStage(t *testing.T, title string, o options) *stage {
	t.Helper()
	root, err := os.MkdirTemp("", "md-") // shorter than t.TempDir's: sockets lie in it
	if err != nil {
		t.Fatal(err)
	}
	d := &stage{t: t, root: root, sent: map[string]int{}}
	t.Cleanup(func() {
		d.kill()
		os.RemoveAll(root)
	})
	for _, s := range pageSections(t) {
		if s.title == title {
			d.section = s
		}
	}
	if d.section == nil {
		t.Fatalf("the page has no section %q", title)
	}
	public, admin := mustPort(t), mustPort(t)
	d.url, d.admin = "http://"+public, "http://"+admin
	d.words = strings.NewReplacer(append(o.words,
		"/var/lib/", d.root+"/var/lib/", "/etc/millrace", d.root+"/etc/millrace", "/srv/", d.root+"/srv/",
		"localhost:8080", public, "localhost:8081", admin)...)
	for _, folder := range []string{"var/lib/millrace", "etc/millrace", "srv/backup", "bin"} {
		if err := os.MkdirAll(filepath.Join(d.root, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d.write("etc/millrace/millrace.yaml", "data: /var/lib/millrace\nlisten: localhost:8080\nadmin: localhost:8081\n"+
		"archive-every: 1s\nearly: 500ms\naudit-share: 0\n"+o.config)
	d.write("bin/chown", "#!/bin/sh\n")
	d.write("bin/apt", "#!/bin/sh\n")
	d.write("bin/runuser", "#!/bin/sh\n"+`while [ "$1" != -- ]; do shift; done; shift; exec "$@"`+"\n")
	if err := os.Symlink(mustProgram(t), filepath.Join(d.root, "bin/millrace")); err != nil {
		t.Fatal(err)
	}
	d.env = append(os.Environ(), "PATH="+filepath.Join(d.root, "bin")+":"+os.Getenv("PATH"))
	return d
}

// path is a file of the stage.
func (d *stage) path(name string) string { return filepath.Join(d.root, name) }

// write makes a file whose text is written as on the page.
func (d *stage) write(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(d.path(name), []byte(d.words.Replace(text)), 0o755); err != nil {
		d.t.Fatal(err)
	}
}

// start is systemctl start: it returns once the service is ready.
func (d *stage) start() {
	d.t.Helper()
	if err := d.tryStart(); err != nil {
		d.t.Fatal(err)
	}
}

// tryStart returns an error that has what the service said if it ends, or is not ready.
func (d *stage) tryStart() error {
	d.launch()
	for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case <-d.ended:
			d.cmd = nil
			return fmt.Errorf("the service ended at its start:\n%s", d.log.String())
		default:
		}
		if code, _ := d.get(d.admin + "/readyz"); code == http.StatusOK {
			return nil
		}
	}
	_, body := d.get(d.admin + "/readyz?verbose")
	return fmt.Errorf("the service is not ready: %s\n%s", body, d.log.String())
}

// launch starts the service.
func (d *stage) launch() {
	d.t.Helper()
	d.log.Reset()
	cmd := exec.Command(d.path("bin/millrace"), "serve", "--config", d.path("etc/millrace/millrace.yaml"))
	cmd.Stderr, cmd.Dir = &d.log, d.root
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	d.cmd, d.ended = cmd, ended
}

// stop is systemctl stop.
func (d *stage) stop() {
	d.t.Helper()
	if d.cmd == nil {
		return
	}
	d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(30 * time.Second):
		d.t.Fatalf("the service does not stop:\n%s", d.log.String())
	}
	d.cmd = nil
}

// kill is kill -9.
func (d *stage) kill() {
	if d.cmd != nil {
		d.cmd.Process.Kill()
		<-d.ended
		d.cmd = nil
	}
}

// commands runs a block of the section. The first that is run begins the time of the repair.
func (d *stage) commands(block int) {
	d.t.Helper()
	if out, err := d.try(block); err != nil {
		d.t.Fatalf("%v\n%s\n%s", err, out, d.log.String())
	}
}

// try runs a block up to its first command that fails, and returns what was printed.
func (d *stage) try(block int) (string, error) {
	d.t.Helper()
	if d.began.IsZero() {
		d.began = time.Now()
	}
	d.section.run[block] = true
	text := strings.ReplaceAll(d.section.block[block], "\\\n", "")
	var all strings.Builder
	for line := range strings.Lines(text) {
		out, err := d.command(strings.TrimSpace(line))
		all.WriteString(out)
		if err != nil {
			return all.String(), fmt.Errorf("%s: %w", line, err)
		}
	}
	return all.String(), nil
}

// command runs a command of the page.
func (d *stage) command(line string) (string, error) {
	d.t.Helper()
	switch words := strings.Fields(line); {
	case line == "systemctl stop millrace":
		d.stop()
	case line == "systemctl start millrace":
		return "", d.tryStart()
	case line == "systemctl restart millrace":
		d.stop()
		return "", d.tryStart()
	case words[0] == "kafka-topics.sh" || words[0] == "kafka-consumer-groups.sh":
		return "", d.forget(words)
	case d.units[line] != nil:
		return "", d.units[line]()
	default:
		return d.sh(line)
	}
	return "", nil
}

// forget does what Kafka's scripts do that delete a topic or a group.
func (d *stage) forget(words []string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(d.words.Replace(kafkaAddress), ",")...))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	name := words[len(words)-1]
	if words[0] == "kafka-topics.sh" {
		_, err = admin.DeleteTopic(d.t.Context(), name)
		if errors.Is(err, kerr.UnknownTopicOrPartition) && slices.Contains(words, "--if-exists") {
			err = nil
		}
		return err
	}
	for range 20 { // of a process that has just ended a member may be left
		if _, err = admin.DeleteGroup(d.t.Context(), name); !errors.Is(err, kerr.NonEmptyGroup) {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	return err
}

// kafkaAddress is Kafka's on the page.
const kafkaAddress = "k1:9092"

// sh runs a line of a shell on the stage, written as on the page.
func (d *stage) sh(line string) (string, error) {
	cmd := exec.CommandContext(d.t.Context(), "sh", "-c", d.words.Replace(line))
	cmd.Env, cmd.Dir = d.env, d.root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// fails runs a block that has to end with an error and these words.
func (d *stage) fails(block int, wants ...string) {
	d.t.Helper()
	out, err := d.try(block)
	if err == nil {
		d.t.Fatalf("block %d of %q runs\n%s", block, d.section.title, out)
	}
	for _, want := range wants {
		if !strings.Contains(out+err.Error(), want) {
			d.t.Errorf("block %d of %q: no %q in\n%s%v", block, d.section.title, want, out, err)
		}
	}
}

// sites are those that events are sent of.
const sites = 8

func siteName(i int) string { return fmt.Sprintf("site-%d.example", i) }

// perRequest is how many events a request has.
const perRequest = 200

// send sends n events whose times are spread over the hour that runs, up to now, and counts those
// that are answered with 2xx. Late events of an hour that is over are in an answer a minute later,
// which would be taken for the time of the repair.
func (d *stage) send(n int) {
	d.t.Helper()
	began := time.Now().Truncate(time.Hour)
	d.sendTimes(n, began, time.Since(began))
}

// sendTimes sends n events whose times are spread over a span.
func (d *stage) sendTimes(n int, began time.Time, span time.Duration) {
	d.t.Helper()
	step := span / time.Duration(n+1)
	for i := 0; i < n; i += perRequest {
		var events []map[string]any
		for j := i; j < min(i+perRequest, n); j++ {
			site := siteName(j % sites)
			events = append(events, map[string]any{
				"site": site, "name": "pageview", "url": fmt.Sprintf("https://%s/%d", site, j%97), "ua": firefox,
				"visitor": fmt.Sprint("v", j%1009), "ts": began.Add(time.Duration(j) * step).UnixMilli(),
			})
		}
		body, err := json.Marshal(events)
		if err != nil {
			d.t.Fatal(err)
		}
		resp, err := http.Post(d.url+"/v1/events", "application/json", bytes.NewReader(body))
		if err != nil {
			d.t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			d.t.Fatalf("status %d\n%s", resp.StatusCode, d.log.String())
		}
		for j := i; j < min(i+perRequest, n); j++ {
			d.sent[siteName(j%sites)]++
		}
	}
}

// acked is how many events were answered with 2xx.
func (d *stage) acked() (n int) {
	for _, k := range d.sent {
		n += k
	}
	return n
}

// missing returns how many of the events that were sent are not counted. One that is counted twice,
// or that nobody sent, is an error.
func (d *stage) missing() (int, error) {
	lost := 0
	now := time.Now().UTC()
	for _, site := range sorted(d.sent) {
		n, err := d.pageviews(site, now.Add(-6*time.Hour).Format(time.RFC3339), now.Add(6*time.Hour).Format(time.RFC3339))
		if err != nil {
			return 0, err
		}
		if n > d.sent[site] {
			return 0, fmt.Errorf("%s has %d events, and %d were sent", site, n, d.sent[site])
		}
		lost += d.sent[site] - n
	}
	return lost, nil
}

// pageviews asks for the page views of a site in a range.
func (d *stage) pageviews(site, from, to string) (int, error) {
	n, _, err := d.ask(map[string]any{"site_id": site, "metrics": []string{"pageviews"}, "date_range": []string{from, to}})
	return n, err
}

// ask returns the one number that a question is answered with, and what the answer was counted from.
func (d *stage) ask(question map[string]any) (n int, source string, err error) {
	body, err := json.Marshal(question)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.Post(d.url+"/api/v2/query", "application/json", bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	var answer struct {
		Results []struct {
			Metrics []float64 `json:"metrics"`
		} `json:"results"`
		Meta struct {
			Source string `json:"source"`
		} `json:"meta"`
		Error string `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		return 0, "", fmt.Errorf("query: %d %s %w", resp.StatusCode, answer.Error, err)
	}
	if len(answer.Results) > 0 {
		n = int(answer.Results[0].Metrics[0])
	}
	return n, answer.Meta.Source, nil
}

// byHits waits until what only hits can answer has all events but those that a disaster has taken (lost).
func (d *stage) byHits() {
	d.t.Helper()
	now := time.Now().UTC()
	d.waitFor(patience, func() error {
		for _, site := range sorted(d.sent) {
			n, source, err := d.ask(map[string]any{
				"site_id": site, "metrics": []string{"pageviews"}, "date_range": []string{now.Add(-6 * time.Hour).Format(time.RFC3339), now.Add(6 * time.Hour).Format(time.RFC3339)},
				"filters": []any{[]any{"contains", "event:page", []string{"/"}}, []any{"is", "visit:browser", []string{"Firefox"}}},
			})
			if err != nil {
				return err
			}
			if n != d.sent[site] || source != "lake" {
				return fmt.Errorf("%s has %d hits by %q, and %d events were sent\n%s", site, n, source, d.sent[site], d.log.String())
			}
		}
		return nil
	})
}

func sorted(m map[string]int) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// counted waits until all events but so many are counted.
func (d *stage) counted(but int) {
	d.t.Helper()
	d.waitFor(patience, func() error {
		n, err := d.missing()
		if err == nil && n != but {
			err = fmt.Errorf("%d of %d events are not counted, want %d\n%s", n, d.acked(), but, d.log.String())
		}
		return err
	})
}

// archived waits until the archive has so many rows of the log.
func (d *stage) archived(rows int) {
	d.t.Helper()
	d.waitFor(patience, func() error {
		n, err := d.rows()
		if err == nil && n < int64(rows) {
			err = fmt.Errorf("%d of %d events are archived\n%s", n, rows, d.log.String())
		}
		return err
	})
}

// rows is how many rows the archive of the config has.
func (d *stage) rows() (n int64, err error) {
	store, err := blob.Open(d.archive())
	if err != nil {
		return 0, err
	}
	of, err := lake.NewReader(store).ProgressOf(d.t.Context(), engine.EventsTopic)
	for _, p := range of {
		n += p.Rows
	}
	return n, err
}

// archive is the address that the config has, or the folder of the data.
func (d *stage) archive() string {
	text, err := os.ReadFile(d.path("etc/millrace/millrace.yaml"))
	if err != nil {
		d.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if address, ok := strings.CutPrefix(line, "s3: "); ok {
			return strings.TrimSpace(address)
		}
	}
	return d.path("var/lib/millrace/lake")
}

// repaired waits until all but rpo events are counted, and prints the figures of the disaster. Times
// are from the first command of the page.
func (d *stage) repaired(rpo int) {
	d.t.Helper()
	d.counted(rpo)
	d.figures(rpo)
}

func (d *stage) figures(rpo int) {
	d.t.Helper()
	d.t.Logf("%s: RPO %d of %d events, RTO %.1f s", d.section.title, rpo, d.acked(), time.Since(d.began).Seconds())
	d.began = time.Time{}
}

// verified compares the rollup store with the archive, once that has all events. In the first minutes
// of an hour nothing of it is complete yet.
func (d *stage) verified() {
	d.t.Helper()
	d.waitFor(5*time.Minute, func() error {
		out, err := d.sh("millrace replay --config /etc/millrace/millrace.yaml --verify")
		if err != nil && strings.Contains(out, "nothing was verified") {
			return fmt.Errorf("verify: %w\n%s", err, out)
		}
		if err != nil {
			d.t.Errorf("verify: %v\n%s", err, out)
		}
		return nil
	})
}

// done ends the play: a block that was not run is a mistake of the test.
func (d *stage) done() {
	d.t.Helper()
	d.stop()
	for i, run := range d.section.run {
		if !run {
			d.t.Errorf("block %d of %q was not run", i, d.section.title)
		}
	}
}

func (d *stage) get(url string) (int, string) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	b.ReadFrom(resp.Body)
	return resp.StatusCode, b.String()
}

// patience is for how long something may not be as it has to be, on a machine that is busy.
const patience = 3 * time.Minute

func (d *stage) waitFor(atMost time.Duration, f func() error) {
	d.t.Helper()
	for deadline := time.Now().Add(atMost); ; time.Sleep(50 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("after %v: %v", atMost, err)
		}
	}
}

// remove is what a disaster does to a file or a folder.
func (d *stage) remove(names ...string) {
	d.t.Helper()
	for _, name := range names {
		// The service may be putting a file there meanwhile.
		d.waitFor(patience, func() error { return os.RemoveAll(d.path(name)) })
	}
}

var (
	buildOnce sync.Once
	program   string
	errBuild  error
)

// mustProgram builds the program once; MILLRACE_TEST_BINARY names one that is there.
func mustProgram(t *testing.T) string {
	t.Helper()
	buildOnce.Do(func() {
		if program = os.Getenv("MILLRACE_TEST_BINARY"); program != "" {
			return
		}
		var dir string
		if dir, errBuild = os.MkdirTemp("", "millrace-disaster-"); errBuild != nil {
			return
		}
		program = filepath.Join(dir, "millrace")
		cmd := exec.CommandContext(context.Background(), "go", "build", "-o", program, "millrace/cmd/millrace")
		if out, err := cmd.CombinedOutput(); err != nil {
			errBuild = fmt.Errorf("build the program: %w\n%s", err, out)
		}
	})
	if errBuild != nil {
		t.Fatal(errBuild)
	}
	return program
}

// mustPort returns an address of this machine on which nothing listens.
func mustPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
