package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestQuotaOnKafka: brokers that throttle all clients make numbers late and nothing else, also with a session that is shorter
// than what they throttle by. A server dies in the midst of it.
func TestQuotaOnKafka(t *testing.T) {
	const events, bodies, produce, consume = 1000, 10, 7_000, 10_000 // bytes a second
	at := kafkaPlace(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(at.kafka, ",")...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	admin := kadm.NewClient(client)
	everyone := kadm.ClientQuotaEntity{{Type: "client-id"}}
	alter := func(remove bool) {
		t.Helper()
		_, err := admin.AlterClientQuotas(t.Context(), []kadm.AlterClientQuotaEntry{{Entity: everyone, Ops: []kadm.AlterClientQuotaOp{
			{Key: "producer_byte_rate", Value: produce, Remove: remove}, {Key: "consumer_byte_rate", Value: consume, Remove: remove}}}})
		if err != nil {
			t.Error(err)
		}
	}
	alter(false)
	defer alter(true)
	s := mustServe(t, at, "--early", "500ms", "--archive-every", "1s", "--max-pending", "64MiB")
	send := func(from, to int) {
		for i := from; i < to; i++ {
			var b strings.Builder
			for j := range events / bodies {
				fmt.Fprintf(&b, `{"id":"e-%d-%d","site":"a.example","name":"pageview","url":"https://a.example/%x%x%x%x","ua":%q},`, i, j,
					rand.Uint64(), rand.Uint64(), rand.Uint64(), rand.Uint64(), firefox)
			}
			body := "[" + strings.TrimSuffix(b.String(), ",") + "]"
			waitFor(t, 60*time.Second, func() error {
				if code, answer := mustPost(t, s.url+pathEvents, body); code/100 != 2 {
					return fmt.Errorf("status %d, %s", code, answer)
				}
				return nil
			})
		}
	}
	began := time.Now()
	send(0, bodies/2)
	s.kill()
	s = mustServe(t, at, "--early", "500ms", "--archive-every", "1s")
	send(bodies/2, bodies)
	t.Logf("taken after %v", time.Since(began).Round(100*time.Millisecond))
	waitFor(t, 90*time.Second, func() error { return checkPageviews(s, "a.example", events) })
	mustArchive(t, at, events)
	t.Logf("counted and archived after %v", time.Since(began).Round(100*time.Millisecond))
	held := s.mustMetrics(t, "millrace_kafka_throttle_seconds_total")
	t.Logf("held back %v", held)
	for _, client := range []string{"collect", "read", "write"} {
		if held[`millrace_kafka_throttle_seconds_total{client="`+client+`"}`] == 0 {
			t.Errorf("no time is counted for which %s was held back: %v", client, held)
		}
	}
	if out := s.stderr.String(); !strings.Contains(out, "Kafka holds this process back") {
		t.Errorf("no warning in the log:\n%s", out)
	}
	want := "producer_byte_rate=7000 for client-id=<default>"
	if out := mustRun(t, 0, "check", "--data", at.data, "--kafka", at.kafka); !strings.Contains(out, want) {
		t.Errorf("check says\n%s\nwant %q", out, want)
	}
	for _, text := range []string{"level=ERROR", "not known in the current generation"} {
		if out := s.stderr.String(); strings.Contains(out, text) {
			t.Errorf("%s in the log:\n%s", text, out)
		}
	}
	alter(true)
	s.mustStop(t)
}
