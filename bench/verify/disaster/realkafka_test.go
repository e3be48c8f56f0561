//go:build disaster

package disaster

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"millrace/internal/kafkatest"
	"millrace/internal/services"
)

// onKafka are played with the three brokers of Apache Kafka that deploy/dev-kafka.sh starts. One may
// play a section once more that has a play without them.
var onKafka = []play{
	{"A broker is lost", playBroker},
	{"Kafka is lost, or its topics", playTopic},
}

func TestDisastersOnKafka(t *testing.T) {
	if !*playing {
		t.Skip("takes a minute; -play plays them")
	}
	for _, p := range onKafka { // one after the other: each has the cluster to itself
		t.Run(p.title, func(t *testing.T) { p.run(t, p.title) })
	}
}

// mustCluster returns the cluster that deploy/dev-kafka.sh has started, emptied, and the addresses
// of its brokers.
func mustCluster(t *testing.T) (*services.Kafka, string) {
	t.Helper()
	addrs := kafkatest.Fresh(t)
	dir := os.Getenv("MILLRACE_SERVICES_DIR")
	if dir == "" {
		var err error
		if dir, err = services.DefaultDir(); err != nil {
			t.Fatal(err)
		}
	}
	k, err := services.OpenKafka((&services.Manager{Dir: dir}).DefaultKafkaDir())
	if err != nil {
		t.Fatal(err)
	}
	if k.Len() < 3 {
		t.Skip("the cluster has one broker: run deploy/dev-kafka.sh up 3")
	}
	return k, strings.Join(addrs, ",")
}

// playBroker has one broker of three killed, and started again some time later.
func playBroker(t *testing.T, title string) {
	const broker = 2
	k, addrs := mustCluster(t)
	d := newStage(t, title, options{clusterConfig, append(bucket(t), kafkaAddress, addrs)})
	again := func() error { return k.Restart(context.WithoutCancel(t.Context()), broker) }
	d.units = map[string]func() error{"systemctl start kafka": again}
	d.start()
	d.send(*events)
	d.counted(0)
	if err := k.Kill(broker); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() { // the next test is to find three brokers
			again()
		}
	})
	d.began = time.Now() // nobody does anything
	d.send(more())
	d.repaired(0)
	d.commands(0)
	d.send(more())
	d.archived(d.acked())
	d.counted(0)
	d.verified()
	d.done()
}

// playTopic has the topic of events deleted under a running service.
func playTopic(t *testing.T, title string) {
	_, addrs := mustCluster(t)
	d := newStage(t, title, options{clusterConfig, append(bucket(t), kafkaAddress, addrs)})
	d.start()
	d.send(*events)
	d.archived(d.acked())
	d.counted(0)
	d.send(more())
	rows, err := d.rows() // what is archived after this is no loss, and the test may know less than there is
	if err != nil {
		t.Fatal(err)
	}
	if err := d.forget(strings.Fields("kafka-topics.sh --delete --topic millrace.events")); err != nil {
		t.Fatal(err)
	}
	d.waitFor(time.Minute, func() error {
		if !strings.Contains(d.log.String(), "role stopped") {
			return fmt.Errorf("no role has stopped:\n%s", d.log.String())
		}
		return nil
	})
	d.anew(int(rows))
}
