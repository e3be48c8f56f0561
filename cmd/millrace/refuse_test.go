package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/emit/lake"
	"millrace/emit/lake/commits"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/internal/broker"
	"millrace/internal/kafka"
	"millrace/internal/services"
)

// served is what a server has left behind that counted and archived ten pageviews: on an in-process broker, whose folder and data
// folder each case gets a copy of, or on the real Kafka that MILLRACE_TEST_KAFKA names, for each case again.
type served struct{ data, broker string }

const servedEvents = 10

// identityFile is where package lineage notes the identity of the log.
const identityFile = "log-identity.json"

// mustServed serves once, unless there is a real Kafka.
func mustServed(t *testing.T) *served {
	t.Helper()
	if os.Getenv(services.KafkaVariable) != "" {
		return &served{}
	}
	s := &served{data: t.TempDir(), broker: t.TempDir()}
	b := mustBroker(t, s.broker)
	servePageviews(t, place{data: s.data, kafka: b.Addrs()[0]})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

func mustBroker(t *testing.T, dir string) *broker.Broker {
	t.Helper()
	b, err := broker.Open(broker.Options{Dir: dir, TCP: true, Logger: discardLog()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// servePageviews runs a server until what it took in is counted and archived.
func servePageviews(t *testing.T, at place) {
	t.Helper()
	s := mustServe(t, at, "--early", "500ms", "--archive-every", "1s")
	for i := range servedEvents {
		mustBeacon(t, s, "a.example", i)
	}
	mustArchive(t, at, servedEvents)
	waitFor(t, 20*time.Second, func() error { return checkPageviews(s, "a.example", servedEvents) })
	s.mustStop(t)
}

// place is what was left behind, for one test, and a client of its Kafka. Tests whose broker is their own go on in parallel.
func (s *served) place(t *testing.T) (place, *kgo.Client) {
	t.Helper()
	if s.broker != "" {
		t.Parallel()
	}
	var at place
	if s.broker == "" {
		at = kafkaPlace(t)
		servePageviews(t, at)
	} else {
		at.data = t.TempDir()
		dir := t.TempDir()
		if err := errors.Join(os.CopyFS(dir, os.DirFS(s.broker)), os.CopyFS(at.data, os.DirFS(s.data))); err != nil {
			t.Fatal(err)
		}
		at.kafka = mustBroker(t, dir).Addrs()[0]
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(at.kafka, ",")...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return at, client
}

// ticks writes n ticks to each partition of a topic.
func ticks(t *testing.T, client *kgo.Client, topic string, partitions, n int32) {
	t.Helper()
	var records []*kgo.Record
	for p := range partitions {
		for range n {
			records = append(records, &kgo.Record{Topic: topic, Partition: p, Key: []byte(event.Key(p)),
				Value: event.AppendEnvelope(nil, "ticker", event.TimeOf(time.Now()), nil)})
		}
	}
	mustProduce(t, client, records...)
}

func deleteTopic(t *testing.T, client *kgo.Client, topic string) {
	t.Helper()
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TopicNames = []string{topic}
	r := kmsg.NewDeleteTopicsRequestTopic()
	r.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, r)
	req.TimeoutMillis = 5000
	res, err := req.RequestWith(t.Context(), client)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("delete %s: %v", topic, err)
	}
	client.PurgeTopicsFromClient(topic) // it remembers the id
}

func createTopic(t *testing.T, client *kgo.Client, topic string) {
	t.Helper()
	waitFor(t, 20*time.Second, func() error { // a real broker takes a while to forget the old one
		req := kmsg.NewPtrCreateTopicsRequest()
		r := kmsg.NewCreateTopicsRequestTopic()
		r.Topic, r.NumPartitions, r.ReplicationFactor = topic, 4, 1
		req.Topics = append(req.Topics, r)
		req.TimeoutMillis = 5000
		res, err := req.RequestWith(t.Context(), client)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(res.Topics[0].ErrorCode)
	})
}

// truncate deletes all records of a topic.
func truncate(t *testing.T, client *kgo.Client, topic string) {
	t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	r := kmsg.NewDeleteRecordsRequestTopic()
	r.Topic = topic
	for p := range int32(4) {
		part := kmsg.NewDeleteRecordsRequestTopicPartition()
		part.Partition, part.Offset = p, -1
		r.Partitions = append(r.Partitions, part)
	}
	req.Topics = append(req.Topics, r)
	req.TimeoutMillis = 5000
	res, err := req.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	for _, t2 := range res.Topics {
		for _, p := range t2.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				t.Fatalf("truncate %s/%d: %v", topic, p.Partition, err)
			}
		}
	}
}

func deleteGroups(t *testing.T, client *kgo.Client, groups ...string) {
	t.Helper()
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = groups
	waitFor(t, 30*time.Second, func() error { // a real broker waits for members that are gone
		res, err := req.RequestWith(t.Context(), client)
		if err != nil {
			return err
		}
		for _, g := range res.Groups {
			if err := kerr.ErrorForCode(g.ErrorCode); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
				return fmt.Errorf("delete group %s: %w", g.Group, err)
			}
		}
		return nil
	})
}

func addPartitions(t *testing.T, client *kgo.Client, n int32, topics ...string) {
	t.Helper()
	req := kmsg.NewPtrCreatePartitionsRequest()
	for _, topic := range topics {
		r := kmsg.NewCreatePartitionsRequestTopic()
		r.Topic, r.Count = topic, n
		req.Topics = append(req.Topics, r)
	}
	req.TimeoutMillis = 5000
	res, err := req.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range res.Topics {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			t.Fatalf("add partitions to %s: %v", r.Topic, err)
		}
	}
}

var (
	tableTopic = kafka.TableTopic(engine.Group)
	allTopics  = []string{engine.EventsTopic, engine.WindowsTopic, "millrace.dead", commits.Topic, tableTopic}
)

// TestRefusals (T20): a log, a changelog or a state that does not fit is refused at the start, within ten seconds, with what
// happened and what can be done. That this helps is tried with -long, and on real brokers; with -long there are more of a kind.
func TestRefusals(t *testing.T) {
	t.Parallel()
	base := mustServed(t)
	type spoiler func(t *testing.T, at place, client *kgo.Client) (args []string)
	alike := []string{"events made anew and grown", "partitions added and said", "changelog made anew and grown",
		"identity with a bit in a topic id", "identity with a bit in a cluster"}
	f := func(name string, spoil spoiler, wants ...string) {
		t.Run(name, func(t *testing.T) {
			if slices.Contains(alike, name) {
				onlyLong(t)
			}
			at, client := base.place(t)
			args := spoil(t, at, client)
			refusedWith(t, at, args, wants...)
		})
	}
	// cured does what the message says, after which everything is counted once.
	cured := func(name string, spoil, cure spoiler, wants ...string) {
		t.Run(name, func(t *testing.T) {
			if slices.Contains(alike, name) {
				onlyLong(t)
			}
			at, client := base.place(t)
			spoil(t, at, client)
			refusedWith(t, at, nil, wants...)
			if !*long && base.broker != "" {
				return
			}
			cure(t, at, client)
			s := mustServe(t, at, "--early", "500ms", "--archive-every", "1s")
			mustBeacon(t, s, "a.example", servedEvents)
			waitFor(t, 20*time.Second, func() error { return checkPageviews(s, "a.example", servedEvents+1) })
			s.mustStop(t)
		})
	}
	none := []string(nil)
	f("events made anew and grown", func(t *testing.T, _ place, client *kgo.Client) []string {
		deleteTopic(t, client, engine.EventsTopic)
		createTopic(t, client, engine.EventsTopic)
		ticks(t, client, engine.EventsTopic, 4, 300)
		return none
	}, "the log was lost, cut short or made anew: topic millrace.events has the id", "delete the topics millrace.events, ", "millrace replay --s3")
	cured("events deleted unread", func(t *testing.T, _ place, client *kgo.Client) []string {
		ticks(t, client, engine.EventsTopic, 4, 5)
		truncate(t, client, engine.EventsTopic)
		return none
	}, func(t *testing.T, at place, client *kgo.Client) []string {
		deleteGroups(t, client, "millrace.archive", engine.Group)
		for p := range 4 {
			files, err := filepath.Glob(filepath.Join(at.data, "lake", lake.ProgressPattern(engine.EventsTopic, int32(p))))
			if err != nil || len(files) == 0 {
				t.Fatal(files, err)
			}
			for _, name := range files {
				mustRemove(t, at, strings.TrimPrefix(name, at.data))
			}
		}
		return none
	}, "records were deleted before they were read: topic millrace.events, partition ",
		`"kafka-consumer-groups --delete --group millrace.archive --group millrace.engine"`,
		`delete the archive's "dt=1970-01-01/hr=10/_progress.millrace.events-0-*.parquet", delete the archive's "dt=1970-01-01/hr=10/_progress.millrace.events-1-*.parquet"`)
	f("partitions added", func(t *testing.T, _ place, client *kgo.Client) []string {
		addPartitions(t, client, 6, allTopics...)
		return none
	}, "has 6 partitions, configured are 4")
	f("partitions added and said", func(t *testing.T, _ place, client *kgo.Client) []string {
		addPartitions(t, client, 6, allTopics...)
		return []string{"--partitions", "6"}
	}, "partitions was changed under live state: topic millrace.events has 6 partitions, the data folder was made of 4", "millrace replay --s3")
	cured("changelog gone", func(t *testing.T, _ place, client *kgo.Client) []string {
		deleteTopic(t, client, tableTopic)
		return none
	}, func(t *testing.T, at place, client *kgo.Client) []string {
		mustRemove(t, at, "state")
		deleteGroups(t, client, engine.Group)
		return none
	}, "topic millrace.engine-table has the id", "counted again", `"kafka-consumer-groups --delete --group millrace.engine"`, "delete ")
	f("changelog made anew and grown", func(t *testing.T, _ place, client *kgo.Client) []string {
		deleteTopic(t, client, tableTopic)
		createTopic(t, client, tableTopic)
		ticks(t, client, tableTopic, 4, 300)
		return none
	}, "topic millrace.engine-table has the id", "counted again")
	cured("changelog and state gone", func(t *testing.T, at place, client *kgo.Client) []string {
		deleteTopic(t, client, tableTopic)
		mustRemove(t, at, "state")
		return none
	}, func(t *testing.T, _ place, client *kgo.Client) []string {
		deleteGroups(t, client, engine.Group)
		return none
	}, "the changelog does not reach the committed offset", `"kafka-consumer-groups --delete --group millrace.engine"`, "millrace replay")
	f("state gone, events made anew, old changelog", func(t *testing.T, at place, client *kgo.Client) []string {
		deleteTopic(t, client, engine.EventsTopic)
		for _, name := range []string{"state", "lake", "rollups", identityFile} {
			mustRemove(t, at, name)
		}
		return none
	}, "topic millrace.events, partition ", "ends at offset 0, but the changelog has got to offset", "delete the topics")
	cured("changelog that can't be read", func(t *testing.T, at place, client *kgo.Client) []string {
		mustProduce(t, client, &kgo.Record{Topic: tableTopic, Partition: 1, Value: []byte{}})
		mustRemove(t, at, "state")
		return none
	}, func(t *testing.T, _ place, client *kgo.Client) []string {
		deleteTopic(t, client, tableTopic)
		deleteGroups(t, client, engine.Group)
		return none
	}, "a record of the changelog can't be read: millrace.engine-table/1/", `"kafka-topics --delete --topic millrace.engine-table"`, "newer version")
	f("another cluster", func(t *testing.T, at place, _ *kgo.Client) []string {
		other := mustBroker(t, t.TempDir())
		return []string{"--kafka", other.Addrs()[0]}
	}, "the data folder belongs to another Kafka cluster: it was made of cluster ", "--kafka reaches ", "--data")
	f("state of a newer version", func(t *testing.T, at place, _ *kgo.Client) []string {
		db, err := pebble.Open(filepath.Join(at.data, "state", "partition-0"), &pebble.Options{
			ErrorIfNotExists: true, FormatMajorVersion: pebble.FormatNewest, Logger: quiet{},
			Merger: &pebble.Merger{Name: stateMerger(t, filepath.Join(at.data, "state", "partition-0")), Merge: pebble.DefaultMerger.Merge}})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Set([]byte{stateFormatKey}, []byte{250}, pebble.Sync), db.Close()); err != nil {
			t.Fatal(err)
		}
		return none
	}, "data of a newer Millrace (format 250; this one reads 4): use the newer program")
	f("identity of a newer version", func(t *testing.T, at place, _ *kgo.Client) []string {
		if err := os.WriteFile(filepath.Join(at.data, identityFile), []byte(`{"v":9}`), 0o600); err != nil {
			t.Fatal(err)
		}
		return none
	}, identityFile, "of a newer version", "data of a newer Millrace (format 9; this one reads 1): use the newer program")
	for name, spoil := range map[string]func([]byte) []byte{
		"cut short":         func(b []byte) []byte { return b[:len(b)/2] },
		"bit in a topic id": func(b []byte) []byte { b[bytes.Index(b, []byte("millrace.windows"))+21] ^= 1; return b },
		"bit in a cluster":  func(b []byte) []byte { b[bytes.Index(b, []byte(`"cluster"`))+15] ^= 1; return b },
	} {
		cured("identity with a "+name, func(t *testing.T, at place, _ *kgo.Client) []string {
			path := filepath.Join(at.data, identityFile)
			b, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, spoil(b), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			return none
		}, func(t *testing.T, at place, _ *kgo.Client) []string {
			mustRemove(t, at, identityFile)
			return none
		}, identityFile+" is damaged", "delete it", "nothing is lost")
	}

	t.Run("nothing is refused without a reason", func(t *testing.T) {
		at, client := base.place(t)
		before, err := os.ReadFile(filepath.Join(at.data, identityFile))
		if err != nil {
			t.Fatal(err)
		}
		ticks(t, client, engine.EventsTopic, 4, 5)
		mustRemove(t, at, "state")
		s := mustServe(t, at, "--early", "500ms")
		mustBeacon(t, s, "a.example", servedEvents)
		waitFor(t, 20*time.Second, func() error { return checkPageviews(s, "a.example", servedEvents+1) })
		s.mustStop(t)
		if after, err := os.ReadFile(filepath.Join(at.data, identityFile)); err != nil || string(after) != string(before) {
			t.Errorf("the identity was %s and is %s, %v", before, after, err)
		}
	})
}

// refusedWith is refused for a server with more flags, which win over those of the place.
func refusedWith(t *testing.T, at place, args []string, wants ...string) {
	t.Helper()
	if i := slices.Index(args, "--kafka"); i >= 0 {
		at.kafka = args[i+1]
		args = slices.Delete(slices.Clone(args), i, i+2)
	}
	began := time.Now()
	_, err := startServer(t, append(at.args("serve"), args...))
	if err == nil {
		t.Fatal("the server starts")
	}
	took := time.Since(began)
	for _, want := range append(wants, "exit status 1") {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "level=") || took > 10*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
	t.Logf("after %v: %v", took.Round(10*time.Millisecond), err)
}

// stateFormatKey is where package state keeps its format.
const stateFormatKey = 'v'

// stateMerger returns the name of the merge operator that a state was made with: Pebble asks for it.
func stateMerger(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "OPTIONS-*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[len(files)-1])
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^\s*merger=(.+)$`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no merger in %s", text)
	}
	return string(m[1])
}

// quiet is a logger of Pebble that says nothing.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

// TestRefusalWhileRunning spoils the log under a running server: the roles stop within ten seconds, say why once, and are not
// started again.
func TestRefusalWhileRunning(t *testing.T) {
	t.Parallel()
	base := mustServed(t)
	f := func(name string, spoil func(*testing.T, *kgo.Client), wants ...string) {
		t.Run(name, func(t *testing.T) {
			if name != "events made anew" {
				onlyLong(t)
			}
			at, client := base.place(t)
			s := mustServe(t, at, "--early", "500ms")
			spoil(t, client)
			began := time.Now()
			stopped := regexp.MustCompile(`(?m)^.*role stopped: .*task=(\w+).*$`)
			var lines []string
			waitFor(t, 20*time.Second, func() error {
				if lines = stopped.FindAllString(s.stderr.String(), -1); len(lines) < 3 {
					return fmt.Errorf("%d roles have stopped\n%s", len(lines), s.stderr.String())
				}
				return nil
			})
			took := time.Since(began)
			for _, line := range lines {
				for _, want := range wants {
					if !strings.Contains(line, want) {
						t.Errorf("%s\nwant %q", line, want)
					}
				}
			}
			code, body, err := get(s.admin + "/readyz")
			if err != nil || code != 503 || !strings.Contains(body, "no  process") {
				t.Errorf("readyz: %d %s, %v", code, body, err)
			}
			before := strings.Count(s.stderr.String(), "will be started again")
			time.Sleep(2 * time.Second) // longer than the first pauses
			if after := strings.Count(s.stderr.String(), "will be started again"); after != before || len(stopped.FindAllString(s.stderr.String(), -1)) != 3 {
				t.Errorf("the roles go on failing\n%s", s.stderr.String())
			}
			if took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			t.Logf("after %v: %s", took.Round(10*time.Millisecond), lines[0])
			s.kill()
		})
	}
	f("events made anew", func(t *testing.T, client *kgo.Client) {
		deleteTopic(t, client, engine.EventsTopic)
		createTopic(t, client, engine.EventsTopic)
		ticks(t, client, engine.EventsTopic, 4, 300)
	}, "topic millrace.events has the id", "millrace replay --s3")
	f("partitions added", func(t *testing.T, client *kgo.Client) {
		addPartitions(t, client, 6, allTopics...)
	}, "partitions was changed under live state")
}
