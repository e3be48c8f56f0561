package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine"
	"millrace/engine/event"
)

// TestLogOfTheFuture: a collector whose clock was two hours ahead has written to the log and is
// gone. The start names it, the collector is not ready, what comes is taken, named as dropped, and
// no answer is complete.
func TestLogOfTheFuture(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, engine.EventsTopic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ahead := time.Now().Add(2 * time.Hour)
	for p := range int32(4) {
		value := event.AppendEnvelope(nil, "gone", event.TimeOf(ahead), nil)
		r := &kgo.Record{Topic: engine.EventsTopic, Partition: p, Key: []byte(event.Key(p)), Value: value}
		if err := client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	at := localPlace(t)
	at.kafka = strings.Join(cluster.ListenAddrs(), ",")
	s, err := launchServer(t, at.args("serve"))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, 30*time.Second, func() error {
		code, body, err := get(s.admin + "/readyz?verbose")
		if err == nil && (code != http.StatusServiceUnavailable || !strings.Contains(body, "no  collect: the clock is 1h59m") || !strings.Contains(body, "behind the times that are in the log") ||
			strings.Contains(body, "no  process")) {
			err = fmt.Errorf("%d %s", code, body)
		}
		return err
	})
	resp, err := http.Post(s.url+"/v1/events", "application/json", strings.NewReader(`{"site":"shop.example.com","name":"x","url":"https://shop.example.com/"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Errorf("status %d", resp.StatusCode)
	}
	waitFor(t, 30*time.Second, func() error {
		for _, line := range []string{"the log has times that lie in the future", "the clock of this machine is not that of the log", "events came later than --lateness"} {
			if !strings.Contains(s.stderr.String(), line) {
				return fmt.Errorf("the log lacks %q:\n%s", line, s.stderr.String())
			}
		}
		a, err := s.ask(map[string]any{"site_id": "shop.example.com", "metrics": []string{"events"}, "date_range": []string{"2024-01-01", "2024-01-02"}})
		if err == nil && (a.Meta.Complete || len(a.Meta.Warnings) == 0) {
			err = fmt.Errorf("%+v", a.Meta)
		}
		return err
	})
	s.mustStop(t)
}
