package services

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

//go:embed kafka/log4j2.properties
var kafkaLogging []byte

// kafkaProperties is a broker's configuration. It differs from what Kafka does by itself in: loopback; no topics that
// nobody made; as many copies as there are brokers, at most three, also of the topics of its own; few partitions of these, little
// memory for compaction and no wait for more members of a group, so that it starts fast and stays small. A broker that is
// silent is given up after 5 s, not 9, and the leaders of its partitions move.
const kafkaProperties = `process.roles=broker,controller
node.id=%[1]d
controller.quorum.voters=%[2]s
listeners=PLAINTEXT://127.0.0.1:%[3]d%[8]s,CONTROLLER://127.0.0.1:%[4]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[3]d%[8]s
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT%[9]s
log.dirs=%[5]s
auto.create.topics.enable=false
default.replication.factor=%[6]d
min.insync.replicas=%[7]d
offsets.topic.replication.factor=%[6]d
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=%[6]d
transaction.state.log.min.isr=%[7]d
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=%[6]d
share.coordinator.state.topic.min.isr=%[7]d
broker.heartbeat.interval.ms=1000
broker.session.timeout.ms=5000
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=4194304
num.network.threads=2
num.io.threads=4
%[10]s`

// kafkaReady is how long a broker may take to answer; a second is usual, but three on a busy machine take their time.
const kafkaReady = 2 * time.Minute

var errPortTaken = errors.New("its port is taken")

// kafkaBroker is one process of a cluster, running or not. Its id is that of Kafka.
type kafkaBroker struct {
	cluster *Kafka
	id      int
	dir     string

	mu    sync.Mutex // held during each call for the broker
	guard *guard     // of a running broker that must not outlive us
}

func (b *kafkaBroker) file(name string) string { return filepath.Join(b.dir, name) }

func (b *kafkaBroker) addr() string {
	return fmt.Sprintf("127.0.0.1:%d", b.cluster.conf.Brokers[b.id-1].Port)
}

// configure makes the folder.
func (b *kafkaBroker) configure() error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	all := b.cluster.conf.Brokers
	var voters []string
	for i, p := range all {
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", i+1, p.Controller))
	}
	copies := min(len(all), 3)
	mine := all[b.id-1]
	listeners, protocols, security := b.cluster.secureProperties(mine.Listeners)
	text := fmt.Sprintf(kafkaProperties, b.id, strings.Join(voters, ","), mine.Port, mine.Controller,
		filepath.ToSlash(b.file("data")), copies, max(1, copies-1), listeners, protocols, security)
	if err := os.WriteFile(b.file("server.properties"), []byte(text), 0o600); err != nil {
		return err
	}
	return os.WriteFile(b.file("log4j2.properties"), kafkaLogging, 0o600)
}

// up starts the broker unless it runs, and waits until it answers and knows of so many brokers.
func (b *kafkaBroker) up(ctx context.Context, brokers int) error {
	if p := b.process(); p != nil {
		if err := resume(p); err != nil {
			return err
		}
		return b.await(ctx, brokers)
	}
	if err := b.start(); err != nil {
		return err
	}
	err := b.await(ctx, brokers)
	if err == nil {
		return nil
	}
	text, _ := os.ReadFile(b.file("log"))
	if strings.Contains(string(text), "Address already in use") {
		err = fmt.Errorf("%w: %w", err, errPortTaken)
	}
	return errors.Join(fmt.Errorf("%w; the last lines of its log:\n%s", err, tail(string(text), 15)), b.kill())
}

func (b *kafkaBroker) start() error {
	// A new log, so that an error found in it is of this start.
	log, err := os.Create(b.file("log"))
	if err != nil {
		return err
	}
	defer log.Close()
	conf := b.cluster.conf
	cmd := exec.Command(conf.Java, "-Xmx"+conf.Heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dlog4j2.configurationFile="+b.file("log4j2.properties"),
		"-cp", filepath.Join(conf.Libs, "*"), "kafka.Kafka", b.file("server.properties"))
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, log, log
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait() // so that no zombie is left; whether it lives is asked of the system
	if err := os.WriteFile(b.file("pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		return errors.Join(err, cmd.Process.Kill())
	}
	if !conf.Detached {
		b.guard, err = startGuard(cmd.Process.Pid)
	}
	return err
}

// process returns the broker's process, nil if it does not run.
func (b *kafkaBroker) process() *os.Process {
	text, err := os.ReadFile(b.file("pid"))
	if err != nil {
		return nil
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 0 {
		return nil
	}
	r := Running{PID: pid, Binary: b.cluster.conf.Java}
	if !r.alive() || !r.argument(b.file("server.properties")) {
		return nil
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return nil
	}
	return p
}

// await waits until the broker answers, is a member of the cluster, and knows of so many brokers.
func (b *kafkaBroker) await(ctx context.Context, brokers int) error {
	ctx, cancel := context.WithTimeout(ctx, kafkaReady)
	defer cancel()
	for {
		err := b.answers(ctx, brokers)
		if b.process() == nil {
			return errEnded
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until it answers: %w: %w", ctx.Err(), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (b *kafkaBroker) answers(ctx context.Context, brokers int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addr()))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	answer, err := client.SeedBrokers()[0].Request(ctx, req)
	if err != nil {
		return err
	}
	known, member := answer.(*kmsg.MetadataResponse).Brokers, false
	for _, k := range known {
		member = member || int(k.NodeID) == b.id
	}
	if !member || len(known) < brokers {
		return fmt.Errorf("it knows of %d brokers, itself among them: %v", len(known), member)
	}
	return nil
}

func (b *kafkaBroker) stop() error {
	p := b.process()
	if p == nil {
		return b.ended()
	}
	// A paused process would not hear it.
	if err := resume(p); err != nil {
		return err
	}
	terminate(p)
	if b.gone(stopTimeout) {
		return b.ended()
	}
	return b.kill()
}

func (b *kafkaBroker) kill() error {
	p := b.process()
	if p == nil {
		return b.ended()
	}
	if err := p.Kill(); err != nil && b.process() != nil {
		return err
	}
	if !b.gone(stopTimeout) {
		return fmt.Errorf("process %d does not end", p.Pid)
	}
	return b.ended()
}

// gone waits for the end of the process.
func (b *kafkaBroker) gone(atMost time.Duration) bool {
	for end := time.Now().Add(atMost); b.process() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// ended clears up behind a process.
func (b *kafkaBroker) ended() error {
	b.guard.stop()
	b.guard = nil
	if err := os.Remove(b.file("pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

var errNotRunning = errors.New("it does not run")

func (b *kafkaBroker) pause() error {
	p := b.process()
	if p == nil {
		return errNotRunning
	}
	return pause(p)
}

func (b *kafkaBroker) resume() error {
	p := b.process()
	if p == nil {
		return errNotRunning
	}
	return resume(p)
}

// guard is a process that kills another when ours ends, in whatever way: it waits for the end of a pipe that only we hold.
type guard struct {
	cmd  *exec.Cmd
	pipe io.Closer
}

// startGuard returns nil where there is no shell for it.
func startGuard(pid int) (*guard, error) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		return nil, nil
	}
	cmd := exec.Command(sh, "-c", `read _; kill -9 "$0"`, strconv.Itoa(pid))
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	detach(cmd) // a Ctrl-C that ends us must find it alive
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the guard of process %d: %w", pid, err)
	}
	return &guard{cmd, pipe}, nil
}

// stop ends the guard before its charge's id can be used again. It may be called of nil.
func (g *guard) stop() {
	if g == nil {
		return
	}
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait() // closes the pipe, too late to be noticed
}
