package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fastjson"
	"golang.org/x/sys/unix"

	"millrace/engine/event"
	"millrace/ingest"
	"millrace/ingest/identity"
	"millrace/ingest/protocol/all"
	"millrace/ingest/spool"
	"millrace/internal/broker"
	"millrace/internal/front"
	"millrace/internal/kafka"
	"millrace/internal/testgc"
	"millrace/internal/testtmp"
)

// What a process that BenchmarkCollect starts serves: the environment's variable and its values.
const (
	serveVariable  = "MILLRACE_BENCH_SERVE"
	serveBare      = "bare"
	serveFloor     = "floor"
	serveCollector = "collector"
)

func TestMain(m *testing.M) {
	switch os.Getenv(serveVariable) {
	case serveBare:
		serveMeasured(bareHandler())
	case serveFloor:
		upTo, err := strconv.Atoi(os.Args[2])
		if err != nil {
			panic(err)
		}
		serveMeasured(floorServer(os.Args[1], rung(upTo)))
	case serveCollector:
		serveMeasured(collectorServer(os.Args[1]))
	default:
		testgc.Relax()
		testtmp.Memory()
		os.Exit(m.Run())
	}
}

// BenchmarkCollect compares the collector with the least that one could be: fasthttp, which reads
// the same JSON with fastjson, answers and forgets it. Each is a process with a core of its own,
// and load and broker have another; the collector answers when the broker has acknowledged. A
// round sends the same requests to each, one after the other. Metrics are medians of the rounds:
//
//	x-bare     the collector's processor time for a request, user and system, over bare's
//	x-least, x-most   the spread of that over the rounds
//	floor-x-bare   the same of what no collector can leave out (floor)
//	us/req, floor-us/req, bare-us/req
//	allocs/req
//
// Where its core is what bounds a server, its requests a second are to bare's as 1 is to x-bare.
//
//	go test ./bench -run '^$' -bench Collect -benchtime 7x
//
// MILLRACE_BENCH_PROFILE names a folder that takes a CPU profile of each process.
func BenchmarkCollect(b *testing.B) { eachLoad(b, benchmarkCollect) }

// eachLoad runs a benchmark with each kind of requests.
func eachLoad(b *testing.B, bench func(b *testing.B, l *load, requests int)) {
	f := func(name, path string, perRequest, conns, requests int) {
		b.Run(name, func(b *testing.B) { bench(b, newLoad(path, perRequest, conns), requests) })
	}
	f("plausible/1", "/api/event", 1, 1024, 20_000)
	f("v1/1", "/v1/events", 1, 1024, 20_000)
	f("v1/100", "/v1/events", 100, 64, 4_000) // more would be over MaxPendingBytes
}

// openBroker returns the address of a broker with the topic.
func openBroker(b *testing.B) string {
	b.Helper()
	br, err := broker.Open(broker.Options{Dir: b.TempDir(), TCP: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { br.Close() }) // after the collector
	cluster := &kafka.Cluster{Brokers: br.Addrs()}
	if err := cluster.EnsureTopics(b.Context(), kafka.Topic{Name: event.Topic, Partitions: collectPartitions}); err != nil {
		b.Fatal(err)
	}
	return br.Addrs()[0]
}

func benchmarkCollect(b *testing.B, l *load, requests int) {
	br := openBroker(b)
	bare := startMeasured(b, serveBare)
	collector, floor := startMeasured(b, serveCollector, br), startMeasured(b, serveFloor, br, strconv.Itoa(int(rungWait)))
	var ratios, own, least, allocs, floors, floorOwn []float64
	for b.Loop() {
		base, took, bound := l.run(b, bare, requests), l.run(b, collector, requests), l.run(b, floor, requests)
		floors = append(floors, bound.cpu.Seconds()/base.cpu.Seconds())
		floorOwn = append(floorOwn, bound.cpu.Seconds()*1e6/float64(requests))
		ratios = append(ratios, took.cpu.Seconds()/base.cpu.Seconds())
		own = append(own, took.cpu.Seconds()*1e6/float64(requests))
		least = append(least, base.cpu.Seconds()*1e6/float64(requests))
		allocs = append(allocs, float64(took.mallocs)/float64(requests))
	}
	slices.Sort(ratios)
	b.ReportMetric(0, "ns/op") // the time of a round, which says nothing
	b.ReportMetric(median(ratios), "x-bare")
	b.ReportMetric(ratios[0], "x-least")
	b.ReportMetric(ratios[len(ratios)-1], "x-most")
	b.ReportMetric(median(floors), "floor-x-bare")
	b.ReportMetric(median(own), "us/req")
	b.ReportMetric(median(floorOwn), "floor-us/req")
	b.ReportMetric(median(least), "bare-us/req")
	b.ReportMetric(median(allocs), "allocs/req")
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// cost is what a measured process has used.
type cost struct {
	cpu     time.Duration
	mallocs uint64
}

// measured is a process with a server that is measured.
type measured struct {
	addr  string
	stdin io.Writer
	out   *bufio.Reader
}

// startMeasured starts a process on the first core; the rest of the machine is this one's.
func startMeasured(b *testing.B, kind string, args ...string) *measured {
	b.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), serveVariable+"="+kind)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := startOnFirstCore(cmd); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(kind, err)
		}
	})
	m := &measured{stdin: stdin, out: bufio.NewReader(stdout)}
	m.addr = m.line(b)
	return m
}

// startOnFirstCore starts a process on the first core of the machine, and moves this one to the
// others where there are any.
func startOnFirstCore(cmd *exec.Cmd) error {
	if runtime.NumCPU() < 2 {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var was, first unix.CPUSet
	if err := unix.SchedGetaffinity(0, &was); err != nil {
		return err
	}
	for cpu := range len(was) * 64 {
		if was.IsSet(cpu) {
			first.Set(cpu)
			break
		}
	}
	if err := unix.SchedSetaffinity(0, &first); err != nil { // of this thread, which the child inherits
		return err
	}
	err := cmd.Start()
	if again := unix.SchedSetaffinity(0, &was); err == nil {
		err = again
	}
	return err
}

func (m *measured) line(b *testing.B) string {
	b.Helper()
	s, err := m.out.ReadString('\n')
	if err != nil {
		b.Fatal("the measured process has ended: ", err)
	}
	return strings.TrimSpace(s)
}

// used asks the process what it has used so far.
func (m *measured) used(b *testing.B) cost {
	b.Helper()
	if _, err := io.WriteString(m.stdin, "used\n"); err != nil {
		b.Fatal(err)
	}
	var c cost
	if _, err := fmt.Sscan(m.line(b), &c.cpu, &c.mallocs); err != nil {
		b.Fatal(err)
	}
	return c
}

// serveMeasured serves until standard input ends, and says on standard output what it has used
// whenever a line comes in.
func serveMeasured(s *fasthttp.Server, end func()) {
	if dir := os.Getenv("MILLRACE_BENCH_PROFILE"); dir != "" {
		f, err := os.Create(dir + "/" + os.Getenv(serveVariable))
		if err != nil {
			panic(err)
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			panic(err)
		}
		defer pprof.StopCPUProfile()
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go s.Serve(front.Listen(ln, front.ListenerOptions{Name: "public", MaxConns: 4096, LazyDeadlines: true,
		Log: slog.New(slog.DiscardHandler), Metrics: front.NewMetrics(nil)}))
	fmt.Println(ln.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		fmt.Println(int64(processorTime()), mem.Mallocs)
	}
	end()
}

// bareHandler is the least that a collector could be. It keeps nothing.
func bareHandler() (*fasthttp.Server, func()) {
	var pool fastjson.ParserPool
	handle := func(ctx *fasthttp.RequestCtx) {
		p := pool.Get()
		defer pool.Put(p)
		v, err := p.ParseBytes(ctx.PostBody())
		if err != nil {
			ctx.Error(err.Error(), fasthttp.StatusBadRequest)
			return
		}
		fields, list := []string{"n", "d", "u"}, []*fastjson.Value{v}
		if v.Type() == fastjson.TypeArray {
			fields, list = []string{"name", "site", "url"}, v.GetArray()
		}
		for _, e := range list {
			for _, name := range fields {
				if len(e.GetStringBytes(name)) == 0 {
					ctx.Error("field", fasthttp.StatusBadRequest)
					return
				}
			}
		}
		ctx.SetStatusCode(fasthttp.StatusAccepted)
		ctx.SetBodyString("ok")
	}
	return &fasthttp.Server{Handler: handle, NoDefaultServerHeader: true}, func() {}
}

// collectorServer is the collector as serve has it with the role collect alone.
func collectorServer(brokerAddr string) (*fasthttp.Server, func()) {
	dir, err := os.MkdirTemp("", "millrace-bench-")
	if err != nil {
		panic(err)
	}
	key := bytes.Repeat([]byte{7}, identity.SecretLen)
	c, err := ingest.Open(context.Background(), ingest.Options{
		Kafka: []kgo.Opt{kgo.SeedBrokers(brokerAddr)}, CollectorID: "bench", Secret: key, Salts: identity.NewDerived(key),
		Protocols: all.Protocols(), TrustedProxies: identity.Proxies{netip.MustParsePrefix("127.0.0.1/32")},
		Spool: &spool.Options{Dir: dir, MaxBytes: 1 << 30}, Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		panic(err)
	}
	var draining atomic.Bool
	s := c.Server(front.ServerOptions{
		Name: "public", Handler: func(ctx *fasthttp.RequestCtx) { ctx.NotFound() }, Draining: &draining,
		Log: slog.New(slog.DiscardHandler), Metrics: front.NewMetrics(nil),
	})
	return s, func() {
		if err := c.Close(); err != nil {
			panic(err)
		}
		os.RemoveAll(dir)
	}
}

// load is requests and how they are sent.
type load struct {
	requests [][]byte
	conns    int
}

// newLoad makes requests of so many events to a path, as browsers send them behind a proxy.
func newLoad(path string, events, conns int) *load {
	agents := [...]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36",
	}
	referrers := [...]string{"https://www.google.com/", "https://duckduckgo.com/", "https://news.ycombinator.com/item?id=1", ""}
	rng := rand.New(rand.NewPCG(1, 1))
	l := &load{conns: conns}
	for i := range 500 {
		var body []byte
		for n := range events {
			if n > 0 {
				body = append(body, ',')
			}
			site := fmt.Sprintf("site-%02d.example", rng.IntN(50))
			url := fmt.Sprintf("https://%s/blog/post-%d?utm_source=news", site, 1+rng.IntN(200))
			format := `{"n":"pageview","v":36,"d":"%s","u":"%s","r":"%s","p":{"author":"Ada","plan":"pro"}}`
			if path != "/api/event" {
				format = `{"name":"pageview","site":"%s","url":"%s","referrer":"%s","screen":"1920x1080","props":{"author":"Ada","plan":"pro"}}`
			}
			body = fmt.Appendf(body, format, site, url, referrers[rng.IntN(len(referrers))])
		}
		if path != "/api/event" {
			body = slices.Concat([]byte{'['}, body, []byte{']'})
		}
		l.requests = append(l.requests, fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: stats.example\r\nContent-Type: text/plain\r\n"+
			"User-Agent: %s\r\nAccept-Language: de-AT,de;q=0.9,en;q=0.8\r\nX-Forwarded-For: %d.%d.%d.%d\r\nOrigin: https://site-00.example\r\n"+
			"Content-Length: %d\r\n\r\n%s", path, agents[i%len(agents)], 20+rng.IntN(80), rng.IntN(256), rng.IntN(256), 1+rng.IntN(254), len(body), body))
	}
	return l
}

// run sends so many requests, after one by each connection, and returns what they have cost.
func (l *load) run(b *testing.B, m *measured, n int) cost {
	b.Helper()
	conns := make([]net.Conn, l.conns)
	for i := range conns {
		var err error
		if conns[i], err = net.Dial("tcp", m.addr); err != nil {
			b.Fatal(err)
		}
		defer conns[i].Close()
	}
	l.send(b, conns, l.conns)
	before := m.used(b)
	l.send(b, conns, n)
	after := m.used(b)
	return cost{after.cpu - before.cpu, after.mallocs - before.mallocs}
}

// send sends so many requests by all connections at once, and reads the answers.
func (l *load) send(b *testing.B, conns []net.Conn, n int) {
	b.Helper()
	var next atomic.Int64
	failed := make([]error, len(conns))
	var wg sync.WaitGroup
	for c, conn := range conns {
		wg.Go(func() {
			in := bufio.NewReaderSize(conn, 1<<10)
			for i := next.Add(1); i <= int64(n) && failed[c] == nil; i = next.Add(1) {
				if _, failed[c] = conn.Write(l.requests[i%int64(len(l.requests))]); failed[c] == nil {
					failed[c] = readAccepted(in)
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(failed...); err != nil {
		b.Fatal(err)
	}
}

// readAccepted reads an answer with a length and status 202.
func readAccepted(in *bufio.Reader) error {
	length := 0
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 202")) {
			return fmt.Errorf("answered %q", line)
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
		if len(line) == 2 {
			_, err := in.Discard(length)
			return err
		}
	}
}
