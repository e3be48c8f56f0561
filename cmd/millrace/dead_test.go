package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/brokersocket"
	"millrace/cmd/internal/deadletters"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/internal/kafka"
)

// mustClient connects to the embedded broker of a running server.
func mustClient(tb testing.TB, at place, opts ...kgo.Opt) *kgo.Client {
	tb.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers("embedded.invalid:9092"), kgo.Dialer(brokersocket.Dialer(at.data)),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(kafka.MaxRecordBytes))...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(client.Close)
	return client
}

func mustProduce(tb testing.TB, client *kgo.Client, records ...*kgo.Record) {
	tb.Helper()
	if err := client.ProduceSync(tb.Context(), records...).FirstErr(); err != nil {
		tb.Fatal(err)
	}
}

// siteOf returns a site whose events belong to a partition.
func siteOf(partition, partitions int32) string {
	for i := 0; ; i++ {
		if site := fmt.Sprintf("s%d.example", i); event.Partition(site, 0, partitions) == partition {
			return site
		}
	}
}

// goodRecord is a record of n pageviews, as a collector writes it.
func goodRecord(partition, partitions int32, n, number int) *kgo.Record {
	now := event.TimeOf(time.Now())
	var events []byte
	for i := range n {
		e := event.Event{ID: fmt.Sprintf("%d-%d-%d", partition, number, i), Site: siteOf(partition, partitions), Name: event.Pageview,
			Time: now, Received: now, Visitor: event.Visitor(number + 1), URL: "https://x.example/", UA: firefox, Client: "v1"}
		if i > 0 {
			events = append(events, ',')
		}
		events = e.Append(events)
	}
	return &kgo.Record{Topic: engine.EventsTopic, Partition: partition, Key: []byte(event.Key(partition)),
		Value: event.AppendEnvelope(nil, "poisoner", now, events)}
}

// deadLines are the lines of dead list --json.
func deadLines(tb testing.TB, at place, args ...string) []letterLine {
	tb.Helper()
	out := mustRun(tb, 0, append([]string{"dead", "list", "--data", at.data, "--json", "--limit", "0"}, args...)...)
	var lines []letterLine
	for dec := json.NewDecoder(strings.NewReader(out)); dec.More(); {
		var l letterLine
		if err := dec.Decode(&l); err != nil {
			tb.Fatal(err)
		}
		lines = append(lines, l)
	}
	return lines
}

// mustFail runs a command that has to exit with 1 and say what is wanted.
func mustFail(tb testing.TB, want string, args ...string) {
	tb.Helper()
	var out, errs bytes.Buffer
	if code := run(tb.Context(), args, strings.NewReader(""), &out, &errs); code != exitError || !strings.Contains(errs.String(), want) {
		tb.Errorf("millrace %s exits with %d\n%s%s\nwant %q", strings.Join(args, " "), code, out.String(), errs.String(), want)
	}
}

// TestPoison writes one poison record in a hundred into the log of a server: no role restarts, each poison record has its
// letter, every other event is counted and archived. Then the letters are listed, shown, repaired and put back, while the server
// runs and when it does not.
func TestPoison(t *testing.T) {
	t.Parallel()
	const partitions, records, perRecord = 4, 500, 3 // records of each partition
	large, largest := 200<<10, 2<<20
	if *long { // it takes its time, with base64
		large, largest = 2<<20, 12<<20
	}
	at := localPlace(t)
	s := mustServe(t, at, "--early", "500ms", "--archive-every", "1s")
	client := mustClient(t, at)
	poisons := []struct {
		reason string
		value  []byte
	}{
		{"", []byte(`{"v":1,"events":[`)},
		{"", bytes.Repeat([]byte("x"), large)},
		{"", nil},
		{"", []byte(`{"v":99,"collector":"c","low":1,"events":[]}`)},
		{"", []byte("\x00\x1b[31m\xff")},
	}
	want := map[string][]byte{} // by coordinates
	for p := range int32(partitions) {
		for i := range records {
			if i%100 == 50 {
				bad := poisons[i/100%len(poisons)]
				r := &kgo.Record{Topic: engine.EventsTopic, Partition: p, Key: []byte("a key of somebody else's"), Value: bad.value}
				mustProduce(t, client, r)
				want[fmt.Sprintf("%s/%d/%d", r.Topic, p, r.Offset)] = bad.value
			}
		}
		var good []*kgo.Record
		for i := range records {
			good = append(good, goodRecord(p, partitions, perRecord, i))
		}
		mustProduce(t, client, good...)
	}
	giant := &kgo.Record{Topic: engine.EventsTopic, Partition: 2, Value: bytes.Repeat([]byte("y"), largest)}
	mustProduce(t, client, giant)
	want[fmt.Sprintf("%s/2/%d", giant.Topic, giant.Offset)] = giant.Value
	mustProduce(t, client, goodRecord(2, partitions, perRecord, records))

	for p := range int32(partitions) {
		n := records * perRecord
		if p == 2 {
			n += perRecord
		}
		waitFor(t, 30*time.Second, func() error { return checkPageviews(s, siteOf(p, partitions), n) })
	}
	mustArchive(t, at, (partitions*records+1)*perRecord)
	lake, err := at.lake()
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, 20*time.Second, func() error {
		progress, err := lake.ProgressOf(t.Context(), engine.EventsTopic)
		var rows, skipped int64
		for _, p := range progress {
			rows, skipped = rows+p.Rows, skipped+p.Skipped
		}
		if err == nil && (rows != (partitions*records+1)*perRecord || skipped != int64(len(want))) {
			err = fmt.Errorf("the archive has %d events and %d records that can't be read, want %d and %d",
				rows, skipped, (partitions*records+1)*perRecord, len(want))
		}
		return err
	})
	checkMetrics := func(s *serving, dead int) {
		t.Helper()
		_, metrics, err := get(s.admin + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		restarts := regexp.MustCompile(`(?m)^millrace_task_restarts_total\{.*\} (\d+)$`).FindAllStringSubmatch(metrics, -1)
		for _, m := range restarts {
			if m[1] != "0" {
				t.Errorf("restarts: %s", m[0])
			}
		}
		sum := 0
		for _, m := range regexp.MustCompile(`(?m)^millrace_engine_dead_records_total\{.*\} (\d+)$`).FindAllStringSubmatch(metrics, -1) {
			n := 0
			fmt.Sscan(m[1], &n)
			sum += n
		}
		if sum != dead || len(restarts) != 3 {
			t.Errorf("%d dead records are counted, want %d; %d tasks", sum, dead, len(restarts))
		}
	}
	checkMetrics(s, len(want))

	lines := deadLines(t, at)
	for _, l := range lines {
		value, ok := want[l.Coord]
		if !ok || l.Bytes != len(value) || l.State != "open" || l.Reason == "" {
			t.Errorf("letter %+v, of %d bytes: %v", l, len(value), ok)
		}
		if value != nil && strings.HasPrefix(l.Coord, engine.EventsTopic+"/1/") {
			if got := mustRun(t, 0, "dead", "show", "--data", at.data, "--raw", l.Coord); got != string(value) {
				t.Errorf("%s: the value is %d bytes that are not those that were sent", l.Coord, len(got))
			}
		}
	}
	if len(lines) != len(want) {
		t.Errorf("%d letters, want %d", len(lines), len(want))
	}
	if n := len(deadLines(t, at, "--partition", "1")); n != len(poisons) {
		t.Errorf("%d letters of partition 1, want %d", n, len(poisons))
	}
	table := mustRun(t, 0, "dead", "list", "--data", at.data, "--limit", "3")
	if strings.Count(table, "\n") != 5 || !strings.Contains(table, fmt.Sprintf("and %d older ones", len(want)-3)) || strings.Contains(table, "\x1b") {
		t.Errorf("the table:\n%s", table)
	}
	testRetry(t, at, s, lines, records*perRecord)
	// Now without a server.
	s.mustStop(t)
	if again := deadLines(t, at, "--open"); len(again) != len(want)-1 {
		t.Errorf("%d letters are open without a server, want %d", len(again), len(want)-1)
	}
	mustFail(t, "there is no dead letter millrace.events/0/999999", "dead", "show", "--data", at.data, "millrace.events/0/999999")
}

// testRetry puts back a letter of partition 0, whose site has n pageviews.
func testRetry(t *testing.T, at place, s *serving, lines []letterLine, n int) {
	t.Helper()
	dead := func(args ...string) []string {
		return append([]string{"dead", args[0], "--data", at.data}, args[1:]...)
	}
	var coord, nothing string
	for _, l := range lines {
		if strings.HasPrefix(l.Coord, engine.EventsTopic+"/0/") {
			if l.Bytes == 0 {
				nothing = l.Coord
			} else {
				coord = l.Coord
			}
		}
	}
	mustFail(t, "can't be read by this build either", dead("retry", coord)...)
	mustFail(t, "it had none; give one with --value", dead("retry", "--force", nothing)...)
	file := filepath.Join(t.TempDir(), "record.json")
	if err := os.WriteFile(file, goodRecord(0, 4, 1, 1_000_000).Value, 0o600); err != nil {
		t.Fatal(err)
	}
	out := mustRun(t, 0, dead("retry", "--value", file, coord)...)
	if !strings.HasPrefix(out, coord+" -> "+engine.EventsTopic+"/0/") {
		t.Errorf("retry prints %q", out)
	}
	waitFor(t, 20*time.Second, func() error { return checkPageviews(s, siteOf(0, 4), n+1) })
	mustFail(t, "already retried: it is at millrace.events/0/", dead("retry", "--value", file, coord)...)
	if show := mustRun(t, 0, dead("show", coord)...); !strings.Contains(show, "state      retried, it is at millrace.events/0/") {
		t.Errorf("show prints\n%s", show)
	}
	if out := mustRun(t, 0, dead("retry", "--all")...); out != fmt.Sprintf("0 retried, %d left\n", len(lines)-1) {
		t.Errorf("retry --all prints %q", out)
	}
}

// TestDump: text is shown as text, and anything else in hexadecimal.
func TestDump(t *testing.T) {
	if got := deadletters.Dump([]byte("{\n\t1\x00"), 3); got != "{\n\\t\n… 2 bytes more; --raw prints all\n" {
		t.Errorf("%q", got)
	}
	if got := deadletters.Dump([]byte{0, 1, 2, 255}, 3); !strings.HasPrefix(got, "00000000  00 01 02") || !strings.HasSuffix(got, "… 1 bytes more; --raw prints all\n") {
		t.Errorf("%q", got)
	}
}
