package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/offline"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/internal/kafka"
)

// TestTopicPrefix runs two servers with the same sites on one cluster, one of which has a prefix: each counts its own
// events only, and neither takes what is the other's for its own.
func TestTopicPrefix(t *testing.T) {
	onlyLong(t)
	t.Parallel()
	testTopicPrefix(t, mustBroker(t, t.TempDir()).Addrs()[0])
}

func TestTopicPrefixOnKafka(t *testing.T) { testTopicPrefix(t, kafkaPlace(t).kafka) }

func testTopicPrefix(t *testing.T, brokers string) {
	const prefix, site = "staging-2.", "a.example"
	prefixed := []string{"--topic-prefix", prefix, "--early", "500ms", "--archive-every", "1s"}
	plain, staging := place{data: t.TempDir(), kafka: brokers}, place{data: t.TempDir(), kafka: brokers}
	one, two := mustServe(t, plain, "--early", "500ms", "--archive-every", "1s"), mustServe(t, staging, prefixed...)
	for i := range 9 {
		mustBeacon(t, one, site, i)
		if i%3 == 0 {
			mustBeacon(t, two, site, i)
		}
	}
	names := kafka.Names{Prefix: prefix}
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	for s, want := range map[*serving]int{one: 9, two: 3} {
		waitFor(t, 20*time.Second, func() error { return checkPageviews(s, site, want) })
	}
	mustArchive(t, plain, 9)
	mustArchive(t, staging, 3)
	checkNames(t, client, prefix)
	poison := &kgo.Record{Topic: names.Of(engine.EventsTopic), Partition: 0, Key: []byte(event.Key(0)), Value: []byte("poison")}
	mustProduce(t, client, poison)
	named := fmt.Sprintf("%s/0/%d", poison.Topic, poison.Offset)
	at := []string{"--kafka", brokers, "--topic-prefix", prefix}
	waitFor(t, 10*time.Second, func() error {
		if lines := deadLines(t, staging, at...); len(lines) != 1 || lines[0].Coord != named {
			return fmt.Errorf("dead letters %+v, want %s", lines, named)
		}
		return nil
	})
	if lines := deadLines(t, plain, "--kafka", brokers); len(lines) != 0 {
		t.Errorf("without the prefix there are dead letters %+v", lines)
	}
	mustFail(t, "it can't be read by this build either", append([]string{"dead", "retry", named}, at...)...)
	if _, metrics, err := get(two.admin + "/metrics"); err != nil || !strings.Contains(metrics, `millrace_log_headroom_seconds{group="`+names.Of(engine.Group)+`"`) {
		t.Errorf("the headroom does not name the group: %v", err)
	}
	if out := mustRun(t, 0, append(staging.args("check"), "--kafka", brokers, "--topic-prefix", prefix)...); !strings.Contains(out, "topic "+names.Of(engine.EventsTopic)) ||
		!strings.Contains(out, "group "+names.Of(engine.Group)) {
		t.Errorf("check does not name topics and groups as they are called:\n%s", out)
	}
	one.mustStop(t)
	two.mustStop(t)

	// What is stored elsewhere belongs to one prefix.
	refusedWith(t, staging, nil, "the data folder belongs to the topics of another prefix", "--topic-prefix "+prefix, "no --topic-prefix")
	refusedWith(t, plain, prefixed, "the data folder belongs to the topics of another prefix")
	for _, of := range []place{plain, staging} {
		other := place{data: t.TempDir(), kafka: brokers, s3: "file://" + of.data + "/lake"}
		want := "start role archive: the archive in folder " + of.data + "/lake was made with"
		if _, err := startServer(t, append(other.args("serve"), "--topic-prefix", "other.")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a server with another prefix on the archive: %v\nwant %q", err, want)
		}
	}
	// And can be read without it. All events may be of the minute that was under way.
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"replay", "--verify", "--incomplete", "--data", staging.data}, nil, &out, &errs); code != exitOK &&
		!strings.Contains(errs.String(), offline.ErrNothing.Error()) {
		t.Errorf("exit code %d\n%s%s", code, out.String(), errs.String())
	}
	two = mustServe(t, staging, prefixed...)
	mustBeacon(t, two, site, 10)
	waitFor(t, 20*time.Second, func() error { return checkPageviews(two, site, 4) })
	two.mustStop(t)
}

// checkNames holds that each topic and group is there with the prefix and without it, and nothing else.
func checkNames(t *testing.T, client *kgo.Client, prefix string) {
	t.Helper()
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	groups, err := admin.ListGroups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var found, want []string
	for _, name := range slices.Concat(topics.Names(), groups.Groups()) {
		if !strings.HasPrefix(name, "__") {
			found = append(found, name)
		}
	}
	for _, name := range []string{"archive", "commits", "dead", "emit-local", "engine", "engine-table", "events", "salts", "windows"} {
		want = append(want, "millrace."+name, prefix+"millrace."+name)
	}
	slices.Sort(found)
	slices.Sort(want)
	if !slices.Equal(found, want) {
		t.Errorf("topics and groups %q\nwant %q", found, want)
	}
}
