package services

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// asStarter makes the test binary start a cluster and wait to be killed.
const asStarter = "MILLRACE_TEST_AS_KAFKA_STARTER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asStarter); dir != "" {
		k, err := (&Manager{Dir: dir, Bin: os.Getenv("MILLRACE_TEST_BIN")}).StartKafka(context.Background(), KafkaOptions{})
		fmt.Println(k, err)
		select {}
	}
	os.Exit(m.Run())
}

// kafkaManager shares the installation of dev-kafka.sh.
func kafkaManager(t *testing.T) *Manager {
	t.Helper()
	if os.Getenv(KafkaVariable) == "" {
		t.Skip(KafkaVariable + " not set: run deploy/dev-kafka.sh up")
	}
	return &Manager{Dir: t.TempDir(), Bin: binDir(t)}
}

func mustStartKafka(t *testing.T, m *Manager, o KafkaOptions) *Kafka {
	t.Helper()
	o.Home = os.Getenv("MILLRACE_KAFKA_HOME")
	k, err := m.StartKafka(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Remove(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// A topic of three copies takes records while one broker is stopped or killed, and has them all in the end; with two
// brokers away it takes none.
func TestKafkaOfThree(t *testing.T) {
	k := mustStartKafka(t, kafkaManager(t), KafkaOptions{Brokers: 3})
	newClient := func(opts ...kgo.Opt) *kgo.Client {
		client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(k.Addrs()...), kgo.DefaultProduceTopic("t"))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		return client
	}
	client := newClient(kgo.ConsumeTopics("t"))
	create := kmsg.NewPtrCreateTopicsRequest()
	create.TimeoutMillis = 10_000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "t", 1, -1
	create.Topics = append(create.Topics, topic)
	if _, err := create.RequestWith(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	written := 0
	mustWrite := func(when string) {
		t.Helper()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := client.ProduceSync(ctx, &kgo.Record{Value: fmt.Append(nil, written)}).FirstErr(); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		written++
		t.Logf("%s: written after %v", when, time.Since(began).Round(time.Millisecond))
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	mustWrite("all there")
	must(k.Stop(1))
	mustWrite("1 stopped")
	must(k.Restart(t.Context(), 1))
	must(k.Kill(3))
	mustWrite("3 killed")
	must(k.Kill(1))
	// An idempotent producer would not give up a record whose fate it does not know.
	hasty := newClient(kgo.DisableIdempotentWrite(), kgo.RecordDeliveryTimeout(2*time.Second))
	if err := hasty.ProduceSync(t.Context(), &kgo.Record{Value: []byte("too few")}).FirstErr(); err == nil {
		t.Error("one broker of three takes a record")
	}
	must(k.Up(t.Context()))
	mustWrite("all there again")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got := map[string]bool{}
	for len(got) < written {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d records of %d after a minute", len(got), written)
		}
		fetches.EachRecord(func(r *kgo.Record) { got[string(r.Value)] = true })
	}
	for i := range written {
		if !got[fmt.Sprint(i)] {
			t.Errorf("record %d is lost", i)
		}
	}
}

func TestKafkaAlone(t *testing.T) {
	m := kafkaManager(t)
	k := mustStartKafka(t, m, KafkaOptions{Detached: true})
	if _, err := m.StartKafka(t.Context(), KafkaOptions{}); !errors.Is(err, ErrKafkaExists) {
		t.Errorf("a second one in the same folder: %v", err)
	}
	other, err := OpenKafka(m.DefaultKafkaDir())
	if err != nil {
		t.Fatal(err)
	}
	if other.Addrs()[0] != k.Addrs()[0] {
		t.Errorf("opened %v, started %v", other.Addrs(), k.Addrs())
	}
	if err := other.Pause(1); err != nil {
		t.Fatal(err)
	}
	within, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := k.brokers[0].answers(within, 1); err == nil {
		t.Error("it answers while it is paused")
	}
	if err := k.Resume(1); err != nil {
		t.Fatal(err)
	}
	if err := k.brokers[0].answers(t.Context(), 1); err != nil {
		t.Errorf("resumed: %v", err)
	}
	if err := other.Kill(1); err != nil {
		t.Fatal(err)
	}
	if k.brokers[0].process() != nil {
		t.Error("it lives on after a kill")
	}
	if err := k.Pause(1); !errors.Is(err, errNotRunning) {
		t.Errorf("pause of a dead broker: %v", err)
	}
	// Another program has the port now.
	l, err := net.Listen("tcp", k.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	err = k.Restart(t.Context(), 1)
	if !errors.Is(err, errPortTaken) || !strings.Contains(err.Error(), "broker 1") || !strings.Contains(err.Error(), "last lines of its log") {
		t.Errorf("restart on a taken port: %v", err)
	}
	l.Close()
	if err := k.Restart(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if other.brokers[0].process() != nil {
		t.Error("it lives on after Close")
	}
	if err := k.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := other.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKafka(m.DefaultKafkaDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open after Remove: %v", err)
	}
}

// A process that is killed takes its brokers with it.
func TestKafkaEndsWithStarter(t *testing.T) {
	m := kafkaManager(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), asStarter+"="+m.Dir, "MILLRACE_TEST_BIN="+m.Bin)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.Read(make([]byte, 1)) // it is up, or has failed
	k, err := OpenKafka(m.DefaultKafkaDir())
	alive := err == nil && k.brokers[0].process() != nil
	cmd.Process.Kill()
	cmd.Wait()
	if err != nil {
		t.Fatal(err)
	}
	defer k.Remove()
	if !alive {
		t.Fatal("it was not started")
	}
	if !k.brokers[0].gone(10 * time.Second) {
		t.Error("it lives on")
	}
}

// What is missing or wrong is said, before anything is started.
func TestKafkaErrors(t *testing.T) {
	f := func(want string, o KafkaOptions, path string) {
		t.Helper()
		t.Setenv("PATH", path)
		t.Setenv("JAVA_HOME", "")
		m := &Manager{Dir: t.TempDir()}
		k, err := m.StartKafka(t.Context(), o)
		if err == nil {
			k.Remove()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	f("10 brokers are not between 1 and 9", KafkaOptions{Brokers: 10}, "")
	f("java of version 17 or later is needed", KafkaOptions{}, t.TempDir())
	java := t.TempDir() // with a java, and without mvn
	if err := os.WriteFile(filepath.Join(java, "java"+exeSuffix), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	f("Maven's command mvn is needed", KafkaOptions{}, java)
	f("there is no libs/kafka_2.*.jar in it", KafkaOptions{Home: t.TempDir()}, java)
	home := t.TempDir() // an installation, as far as can be seen
	if err := os.Mkdir(filepath.Join(home, "libs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "libs", "kafka_2.13-4.1.1.jar"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	f(fmt.Sprintf("port %d: listen tcp 127.0.0.1:%d", port, port), KafkaOptions{Home: home, Port: port}, java)
	f("are no ports", KafkaOptions{Home: home, Port: 65535}, java)
	f("the server ended right after its start", KafkaOptions{Home: home}, java)
}

func TestKafkaVersion(t *testing.T) {
	if v := KafkaVersion(); !strings.HasPrefix(v, "4.") {
		t.Errorf("version %q", v)
	}
	for range 200 {
		if id := newClusterID(); len(id) != 22 || strings.HasPrefix(id, "-") {
			t.Fatalf("cluster id %q", id)
		}
	}
}
