package bench

import (
	"context"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fastjson"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
)

// floor is bareHandler and what no collector with the promises of Millrace can leave out: it hashes
// visitors, writes the JSON of events into records of their partitions, hands these to Kafka's client
// after 5 ms or at 100 events, and answers when all in-sync replicas have them. It checks nothing,
// counts nothing, has no spool, and lets go of a request's memory before it waits. So it is a bound
// of what the collector can cost.
type floor struct {
	client     *kgo.Client
	identity   *identity.Identity
	serial     atomic.Uint64
	partitions [collectPartitions]floorPartition
	readers    sync.Pool // of *floorReader
	buffers    sync.Pool // of *[]byte
}

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
	json    fastjson.Parser
	request uint64
	sites   [256]floorSite // by hash
	id      []byte
}

// floorSite is what a request knows of a site.
type floorSite struct {
	request   uint64
	site      string
	visitor   event.Visitor
	partition int32
}

const (
	collectPartitions = 4
	floorHead         = `{"v":1,"collector":"bench","low":1796000000000,"events":[`
	floorProps        = `{"author":"Ada","plan":"pro"}`
)

func floorServer(brokerAddr string) (*fasthttp.Server, func()) {
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
	f := &floor{client: client, identity: id}
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
	err := f.read(ctx, r, &wait)
	f.readers.Put(r)
	if err != nil {
		ctx.Error(err.Error(), fasthttp.StatusBadRequest)
		return
	}
	for _, done := range wait {
		if done != nil {
			<-done
		}
	}
	ctx.SetStatusCode(fasthttp.StatusAccepted)
	ctx.SetBodyString("ok")
}

// read adds the events of a request to their partitions. The records of the last are to be waited for:
// those before them in a partition are acknowledged before.
func (f *floor) read(ctx *fasthttp.RequestCtx, r *floorReader, wait *[collectPartitions]chan struct{}) error {
	v, err := r.json.ParseBytes(ctx.PostBody())
	if err != nil {
		return err
	}
	h := &ctx.Request.Header
	addr, err := netip.ParseAddr(string(h.Peek("X-Forwarded-For")))
	if err != nil {
		return err
	}
	ua, now := string(h.UserAgent()), event.TimeOf(time.Now())
	r.request++
	add := func(v *fastjson.Value, name, site, url, referrer string) {
		text := func(key string) string { return protocol.View(v.GetStringBytes(key)) }
		e := event.Event{Name: text(name), Site: text(site), URL: text(url), Referrer: text(referrer), UA: ua, Language: "de-AT", Country: "DE", Client: "v1", Time: now, Received: now}
		s := &r.sites[xxhash.Sum64String(e.Site)%uint64(len(r.sites))]
		if s.request != r.request || s.site != e.Site {
			*s = floorSite{request: r.request, site: e.Site, partition: event.Partition(e.Site, 0, collectPartitions)}
			s.visitor, _, _ = f.identity.Visitor(e.Site, addr, ua, identity.Moment{At: now, Now: now})
		}
		r.id = strconv.AppendUint(append(r.id[:0], "~0123456789abcdef.bench-"...), f.serial.Add(1), 36)
		e.ID, e.Visitor = protocol.View(r.id), s.visitor
		wait[s.partition] = f.add(s.partition, &e)
	}
	if v.Type() != fastjson.TypeArray {
		add(v, "n", "d", "u", "r")
		return nil
	}
	for _, v := range v.GetArray() {
		add(v, "name", "site", "url", "referrer")
	}
	return nil
}

// add adds an event to the open record of a partition, and returns what is closed when Kafka has it.
func (f *floor) add(partition int32, e *event.Event) (done chan struct{}) {
	p := &f.partitions[partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.n == 0 {
		p.record, p.done = append((*f.buffers.Get().(*[]byte))[:0], floorHead...), make(chan struct{})
		p.linger.Reset(5 * time.Millisecond)
	} else {
		p.record = append(p.record, ',')
	}
	p.record = p.encoder.Append(p.record, e, true, floorProps)
	p.n++
	if done = p.done; p.n == 100 {
		f.seal(partition)
	}
	return done
}

// seal hands the open record of a partition to the client. REQUIRES: the partition's mu.
func (f *floor) seal(partition int32) {
	p := &f.partitions[partition]
	value, done := append(p.record, "]}"...), p.done
	p.n = 0
	f.client.TryProduce(context.Background(), &kgo.Record{Topic: event.Topic, Partition: partition, Value: value}, func(_ *kgo.Record, err error) {
		if err != nil {
			panic(err)
		}
		f.buffers.Put(&value)
		close(done)
	})
}
