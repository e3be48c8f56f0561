package ingest

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol/all"
	"millrace/internal/front"
	"millrace/internal/testgc"
	"millrace/internal/testparallel"
	"millrace/internal/testtmp"
)

// thorough plays what is long in full size: CI's step kills does.
var thorough = flag.Bool("thorough", false, "play tests in full size")

func TestMain(m *testing.M) {
	testparallel.Raise()
	testgc.Relax()
	testtmp.Memory()
	goleak.VerifyTestMain(m,
		// Sarama, with which the tests on Kafka empty the cluster, has metrics that tick for ever.
		goleak.IgnoreAnyFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"),
		// fasthttp keeps a clock for ever, and each server a cleaner that notices the end within ten seconds.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

const (
	testTopic      = "millrace.events"
	testPartitions = 4
	chrome         = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)

var testSecret = []byte("0123456789abcdef0123456789abcdef")

func mustCluster(tb testing.TB) *kfake.Cluster {
	tb.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(testPartitions, testTopic))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// c1 returns options of a collector over a cluster.
func c1(cluster *kfake.Cluster) Options {
	return Options{
		Kafka:       []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)},
		CollectorID: "c1",
		Secret:      testSecret,
		Salts:       identity.NewDerived(testSecret),
		Partitions:  testPartitions,
		Linger:      time.Millisecond,
		Protocols:   all.Protocols(),
	}
}

// mustOpen opens a collector over a cluster; change may be nil.
func mustOpen(tb testing.TB, cluster *kfake.Cluster, change func(*Options)) *Collector {
	tb.Helper()
	o := c1(cluster)
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := Open(ctx, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// call runs the handler on one request as a client at addr would make it.
func call(c *Collector, addr, method, uri, body string, headers ...string) *fasthttp.Response {
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.SetRequestURI(uri)
	req.Header.SetHost("127.0.0.1:8080")
	req.Header.SetUserAgent(chrome)
	req.SetBodyString(body)
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Content-Encoding" {
			req.Header.SetContentEncoding(headers[i+1])
			continue
		}
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
			continue
		}
		req.Header.Add(headers[i], headers[i+1])
	}
	var ctx fasthttp.RequestCtx
	ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP(addr), Port: 4711}, nil)
	c.Handler(&ctx)
	var res fasthttp.Response
	ctx.Response.CopyTo(&res)
	return &res
}

const (
	outside  = "203.0.113.77"
	loopback = "127.0.0.1"
)

// mustServe serves the collector on a loopback port and returns its URL.
func mustServe(tb testing.TB, c *Collector) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := c.Server(front.ServerOptions{
		Handler: func(ctx *fasthttp.RequestCtx) { fmt.Fprintf(ctx, "next got %d bytes", len(ctx.PostBody())) },
		Log:     slog.New(slog.DiscardHandler), Metrics: front.NewMetrics(nil),
	})
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	tb.Cleanup(func() {
		if err := s.Shutdown(); err != nil {
			tb.Error(err)
		}
		<-done
	})
	return "http://" + ln.Addr().String()
}

// record is one record of the topic, decoded.
type record struct {
	partition int32
	key       string
	value     []byte
	collector string
	low       event.Time
	events    []event.Event
}

// readAll reads the whole topic, decoded, in order within each partition.
func readAll(tb testing.TB, cluster *kfake.Cluster) []record {
	tb.Helper()
	want := int64(0)
	for p := range int32(testPartitions) {
		want += cluster.PartitionInfo(testTopic, p).HighWatermark
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(testTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		tb.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out []record
	for int64(len(out)) < want {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			tb.Fatalf("after %d of %d records: %v", len(out), want, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			var d event.Decoder // one each: its events are kept
			var env event.Envelope
			if err := d.Decode(r.Value, &env); err != nil {
				tb.Fatalf("record %d/%d: %v\n%s", r.Partition, r.Offset, err, r.Value)
			}
			out = append(out, record{r.Partition, string(r.Key), r.Value, env.Collector, env.Low, env.Events})
		})
	}
	return out
}

func allEvents(records []record) []event.Event {
	var out []event.Event
	for _, r := range records {
		out = append(out, r.events...)
	}
	return out
}

// fakeClock is a clock that a test sets.
type fakeClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *fakeClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *fakeClock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

func post(tb testing.TB, client *http.Client, url, body string) (int, string) {
	tb.Helper()
	res, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return res.StatusCode, string(bytes.TrimSpace(b))
}

// eventually waits until cond holds. It gives a loaded machine a minute.
func eventually(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); !cond(); {
		if time.Now().After(deadline) {
			tb.Fatalf("it never came that %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// waitTicks waits for the first tick of every partition.
func waitTicks(tb testing.TB, cluster *kfake.Cluster) {
	tb.Helper()
	for p := range int32(testPartitions) {
		eventually(tb, "the first ticks are written", func() bool { return cluster.PartitionInfo(testTopic, p).HighWatermark > 0 })
	}
}
