package bench

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
)

// floor is what no collector with the promises of Millrace can leave out: it reads the texts of events,
// hashes visitors, writes the JSON of events into records of their partitions, hands these to Kafka's
// client after 5 ms or at 100 events, and answers when all in-sync replicas have them. It reads no body
// but newLoad's, key by key in their order, which no reader of JSON can do as fast; it checks nothing,
// counts nothing, has no spool, and lets go of a request's memory before it waits. So it is a bound of
// what the collector can cost.
type floor struct {
	upTo       rung
	client     *kgo.Client
	identity   *identity.Identity
	serial     atomic.Uint64
	partitions [collectPartitions]floorPartition
	readers    sync.Pool // of *floorReader
	buffers    sync.Pool // of *[]byte
}

// rung is how far up a floor does what it does: each rung is the one before it and something more.
type rung int

const (
	rungRead  rung = iota // texts of events
	rungHash              // HMAC of visitors
	rungJSON              // events in records, which are thrown away
	rungKafka             // records in Kafka's client, whose answers are not waited for
	rungWait              // the whole
)

var rungNames = [...]string{"read", "hash", "json", "kafka", "wait"}

// floorPartition is the open record of a partition.
type floorPartition struct {
	mu      sync.Mutex // guards the rest
	record  []byte
	n       int
	done    chan struct{} // closed when the open record is acknowledged
	linger  *time.Timer
	encoder event.Encoder
}

// floorReader is what reading a request needs.
type floorReader struct {
	request uint64
	sites   [256]floorSite // by hash
	events  []floorEvent
	id      []byte
}

// floorSite is what a request knows of a site.
type floorSite struct {
	request   uint64
	site      string
	visitor   event.Visitor
	partition int32
}

type floorEvent struct {
	event.Event
	partition int32
}

const (
	collectPartitions = 4
	floorHead         = `{"v":1,"collector":"bench","low":1796000000000,"events":[`
	floorProps        = `{"author":"Ada","plan":"pro"}`
)

// What stands in front of the texts of newLoad's events, and behind the last.
var (
	floorBeacon = [...]string{`{"n":"`, `","v":36,"d":"`, `","u":"`, `","r":"`, `","p":` + floorProps + `}`}
	floorV1     = [...]string{`{"name":"`, `","site":"`, `","url":"`, `","referrer":"`, `","screen":"1920x1080","props":` + floorProps + `}`}
)

func floorServer(brokerAddr string, upTo rung) (*fasthttp.Server, func()) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokerAddr), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0), kgo.DisableClientMetrics())
	if err != nil {
		panic(err)
	}
	key := make([]byte, identity.SecretLen)
	id, err := identity.New(key, identity.NewDerived(key))
	if err != nil {
		panic(err)
	}
	f := &floor{upTo: upTo, client: client, identity: id}
	f.readers.New = func() any { return &floorReader{} }
	f.buffers.New = func() any { return new([]byte) }
	for i := range f.partitions {
		p := &f.partitions[i]
		p.linger = time.AfterFunc(time.Hour, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.n > 0 {
				f.seal(int32(i))
			}
		})
	}
	return &fasthttp.Server{Handler: f.handle, NoDefaultServerHeader: true}, client.Close
}

func (f *floor) handle(ctx *fasthttp.RequestCtx) {
	var wait [collectPartitions]chan struct{}
	r := f.readers.Get().(*floorReader)
	err := f.read(ctx, r)
	if err == nil && f.upTo >= rungJSON {
		f.add(r, &wait)
	}
	f.readers.Put(r)
	if err != nil {
		ctx.Error(err.Error(), fasthttp.StatusBadRequest)
		return
	}
	if f.upTo >= rungWait {
		for _, done := range wait {
			if done != nil {
				<-done
			}
		}
	}
	ctx.SetStatusCode(fasthttp.StatusAccepted)
	ctx.SetBodyString("ok")
}

// read reads the events of a request.
func (f *floor) read(ctx *fasthttp.RequestCtx, r *floorReader) error {
	h, body, keys := &ctx.Request.Header, ctx.PostBody(), &floorBeacon
	batch := bytes.HasPrefix(body, []byte{'['})
	if batch {
		keys, body = &floorV1, body[1:]
	}
	addr, err := netip.ParseAddr(protocol.View(h.Peek("X-Forwarded-For")))
	if err != nil {
		return err
	}
	now := event.TimeOf(time.Now())
	r.request++
	r.events = r.events[:0]
	for more := true; more; {
		var e *floorEvent
		if n := len(r.events); n < cap(r.events) {
			r.events = r.events[:n+1]
			e = &r.events[n]
		} else {
			r.events = append(r.events, floorEvent{})
			e = &r.events[n]
		}
		e.UA, e.Language, e.Country, e.Client, e.Time, e.Received = protocol.View(h.UserAgent()), "de-AT", "DE", "v1", now, now
		texts := [...]*string{&e.Name, &e.Site, &e.URL, &e.Referrer}
		for i, key := range keys {
			if !bytes.HasPrefix(body, []byte(key)) {
				return errors.New("the body is not newLoad's")
			}
			if body = body[len(key):]; i < len(texts) {
				end := bytes.IndexByte(body, '"')
				*texts[i], body = protocol.View(body[:end]), body[end:]
			}
		}
		if batch {
			e.Screen = "1920x1080"
		}
		if more = batch && body[0] == ','; more {
			body = body[1:]
		}
		if f.upTo >= rungHash {
			s := &r.sites[xxhash.Sum64String(e.Site)%uint64(len(r.sites))]
			if s.request != r.request || s.site != e.Site {
				*s = floorSite{request: r.request, site: e.Site, partition: event.Partition(e.Site, 0, collectPartitions)}
				s.visitor, _, _ = f.identity.Visitor(e.Site, addr, e.UA, identity.Moment{At: now, Now: now})
			}
			e.Visitor, e.partition = s.visitor, s.partition
		}
	}
	return nil
}

// add adds the events of a request to their partitions. The records of the last are to be waited for:
// those before them in a partition are acknowledged before.
func (f *floor) add(r *floorReader, wait *[collectPartitions]chan struct{}) {
	for i := range r.events {
		if partition := r.events[i].partition; wait[partition] == nil {
			wait[partition] = f.addTo(partition, r, r.events[i:])
		}
	}
}

// addTo adds those of the events that are a partition's to its open record, and returns what is closed
// when Kafka has them.
func (f *floor) addTo(partition int32, r *floorReader, events []floorEvent) (done chan struct{}) {
	p := &f.partitions[partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range events {
		e := &events[i]
		if e.partition != partition {
			continue
		}
		if p.n == 0 {
			p.record, p.done = append((*f.buffers.Get().(*[]byte))[:0], floorHead...), make(chan struct{})
			p.linger.Reset(5 * time.Millisecond)
		} else {
			p.record = append(p.record, ',')
		}
		r.id = strconv.AppendUint(append(r.id[:0], "~0123456789abcdef.bench-"...), f.serial.Add(1), 36)
		e.ID = protocol.View(r.id)
		p.record = p.encoder.Append(p.record, &e.Event, true, floorProps)
		p.n++
		if done = p.done; p.n == 100 {
			f.seal(partition)
		}
	}
	p.encoder.Reset()
	return done
}

// seal hands the open record of a partition to the client. REQUIRES: the partition's mu.
func (f *floor) seal(partition int32) {
	p := &f.partitions[partition]
	value, done := append(p.record, "]}"...), p.done
	p.n = 0
	if f.upTo < rungKafka {
		f.buffers.Put(&value)
		return
	}
	f.client.TryProduce(context.Background(), &kgo.Record{Topic: event.Topic, Partition: partition, Value: value}, func(_ *kgo.Record, err error) {
		if err != nil {
			panic(err)
		}
		f.buffers.Put(&value)
		close(done)
	})
}

// BenchmarkCollectLadder tells where a collector's processor time goes: bare, the rungs of the floor one
// after the other, and the collector, each a process. Metrics are medians of the rounds: us/req of each.
//
//	go test ./bench -run '^$' -bench CollectLadder -benchtime 7x
func BenchmarkCollectLadder(b *testing.B) {
	eachLoad(b, func(b *testing.B, l *load, requests int) {
		br := openBroker(b)
		names, started := []string{"bare"}, []*measured{startMeasured(b, serveBare)}
		for up, name := range rungNames {
			names, started = append(names, name), append(started, startMeasured(b, serveFloor, br, strconv.Itoa(up)))
		}
		names, started = append(names, "collector"), append(started, startMeasured(b, serveCollector, br))
		took := make([][]float64, len(started))
		for b.Loop() {
			for i, m := range started {
				took[i] = append(took[i], l.run(b, m, requests).cpu.Seconds()*1e6/float64(requests))
			}
		}
		b.ReportMetric(0, "ns/op")
		for i, name := range names {
			b.ReportMetric(median(slices.Clone(took[i])), name+"-us")
			if name == "wait" || name == "collector" {
				x := make([]float64, len(took[i]))
				for n := range x {
					x[n] = took[i][n] / took[0][n]
				}
				b.ReportMetric(median(x), name+"-x-bare")
			}
		}
	})
}
