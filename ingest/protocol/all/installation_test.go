package all_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest"
	"millrace/ingest/identity"
	"millrace/internal/front"
)

const (
	topic       = "millrace.events"
	partitions  = 4
	collectorID = "c1"
	// timeLimit is how long anything may take on a loaded machine.
	timeLimit = time.Minute
)

// now is where the clock stands.
var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// installation is a collector with a broker, a server, and a consumer of its topic.
type installation struct {
	cluster   *kfake.Cluster
	collector *ingest.Collector
	server    *fasthttp.Server
	consumer  *kgo.Client
	read      map[int32]int64 // by partition the offset up to which the topic has been read
}

func open(t *testing.T, o ingest.Options) *installation {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		t.Fatal(err)
	}
	o.Kafka = []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	o.CollectorID, o.Secret = collectorID, []byte("0123456789abcdef0123456789abcdef")
	o.Salts = identity.NewDerived(o.Secret)
	o.Partitions, o.Linger, o.TickEvery = partitions, time.Millisecond, 10*time.Second
	o.Now, o.Elapsed = func() time.Time { return now }, func() time.Duration { return 0 }
	ctx, cancel := context.WithTimeout(t.Context(), timeLimit)
	defer cancel()
	c, err := ingest.Open(ctx, o)
	if err != nil {
		cluster.Close()
		t.Fatal(err)
	}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	server := c.Server(front.ServerOptions{
		Handler: func(ctx *fasthttp.RequestCtx) { ctx.Error("not the collector's", fasthttp.StatusNotFound) },
		Log:     slog.New(slog.DiscardHandler), Metrics: front.NewMetrics(nil),
	})
	return &installation{cluster, c, server, consumer, map[int32]int64{}}
}

func (in *installation) close(t *testing.T) {
	if err := in.collector.Close(); err != nil {
		t.Error(err)
	}
	in.consumer.Close()
	in.cluster.Close()
}

// exchange sends a request and returns what has become of it.
func (in *installation) exchange(t *testing.T, from string, head []string, body string) *outcome {
	t.Helper()
	if body != "" && !hasHeader(head, "Content-Length") {
		head = append(head, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	text := strings.Join(head, "\r\n") + "\r\n\r\n" + body
	ours, theirs := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- in.server.ServeConn(&conn{theirs, from}) }()
	if err := ours.SetDeadline(time.Now().Add(timeLimit)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(ours, text) }() // an error is one of the answer too
	method, _, _ := strings.Cut(head[0], " ")
	res, err := http.ReadResponse(bufio.NewReader(ours), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("read the answer: %v\n%s", err, text)
	}
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	ours.Close()
	<-served // its error is that the connection has ended
	// Refusals have an id, another one each time.
	if id := res.Header.Get(front.RequestIDHeader); id != "" && res.StatusCode < http.StatusBadRequest {
		t.Errorf("%d with the id %q, and only refusals have one", res.StatusCode, id)
	}
	res.Header.Del(front.RequestIDHeader)
	return &outcome{res, answer, in.events(t)}
}

func hasHeader(head []string, name string) bool {
	return slices.ContainsFunc(head, func(line string) bool {
		got, _, _ := strings.Cut(line, ":")
		return strings.EqualFold(got, name)
	})
}

// events returns the events that have come to the topic since the last call, by partition.
func (in *installation) events(t *testing.T) []event.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeLimit)
	defer cancel()
	type record struct {
		partition int32
		events    []event.Event
	}
	var records []record
	for !in.upToDate() {
		fetches := in.consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("read the topic: %v", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			in.read[r.Partition] = r.Offset + 1
			var d event.Decoder // one each: its events are kept
			var env event.Envelope
			if err := d.Decode(r.Value, &env); err != nil {
				t.Fatalf("record %d/%d: %v\n%s", r.Partition, r.Offset, err, r.Value)
			}
			records = append(records, record{r.Partition, env.Events})
		})
	}
	slices.SortStableFunc(records, func(a, b record) int { return int(a.partition - b.partition) })
	var all []event.Event
	for _, r := range records {
		all = append(all, r.events...)
	}
	return all
}

func (in *installation) upToDate() bool {
	for p := range int32(partitions) {
		if in.read[p] < in.cluster.PartitionInfo(topic, p).HighWatermark {
			return false
		}
	}
	return true
}

// conn is a connection in memory from an address.
type conn struct {
	net.Conn
	from string
}

func (c *conn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(c.from), Port: 4711} }
func (c *conn) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }
