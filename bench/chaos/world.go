package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/engine"
	"millrace/engine/event"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
)

// world is the cluster of one run: brokers in this process on loopback ports, so that workers reach them, real ones that were
// started for it, or a cluster that is there. It is closed with close.
type world struct {
	cluster    *kafka.Cluster
	fake       *kfake.Cluster // nil with a real cluster
	real       *real          // nil unless started
	cutter     *cutter        // of the connections to fake or real
	partitions int32
	admin      *kgo.Client
}

// topics are those that a run makes.
func topics() []string {
	return []string{engine.EventsTopic, engine.WindowsTopic, deadletter.Topic, kafka.TableTopic(engine.Group)}
}

// openWorld starts brokers, with what they keep in a folder, and makes the topics. On a cluster that is there the topics must
// not be: nothing of anybody else is touched. Brokers is the number of those in this process.
func openWorld(ctx context.Context, brokers int, partitions int32, dir string, o *Options) (*world, error) {
	w := &world{partitions: partitions, cutter: &cutter{}}
	switch {
	case len(o.Kafka) > 0:
		w.cluster = &kafka.Cluster{Brokers: o.Kafka}
	case o.Brokers > 0:
		var err error
		if w.real, err = startReal(ctx, dir, o, w.cutter); err != nil {
			return nil, err
		}
		w.cluster = &kafka.Cluster{Brokers: w.real.kafka.Addrs()}
	default:
		fake, err := kfake.NewCluster(kfake.NumBrokers(brokers), kfake.ListenFn(w.cutter.listen),
			kfake.BrokerConfigs(map[string]string{
				"message.max.bytes": fmt.Sprint(16 << 20),
				"log.segment.bytes": fmt.Sprint(32 << 20), // what is dropped is dropped by segments
			}))
		if err != nil {
			return nil, fmt.Errorf("start brokers: %w", err)
		}
		w.fake = fake
		w.cluster = &kafka.Cluster{Brokers: fake.ListenAddrs(), Replication: 1}
	}
	err := w.makeTopics(ctx)
	if err == nil {
		w.admin, err = w.client()
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) makeTopics(ctx context.Context) error {
	var list []kafka.Topic
	for _, name := range topics() {
		if w.fake == nil {
			n, err := w.cluster.Partitions(ctx, name)
			if err != nil {
				return err
			}
			if n > 0 {
				return fmt.Errorf("topic %s is there already; a scenario wants a cluster without Millrace's topics, and leaves them behind", name)
			}
		}
		list = append(list, kafka.Topic{Name: name, Partitions: w.partitions})
	}
	return w.cluster.EnsureTopics(ctx, list...)
}

func (w *world) close() {
	if w.admin != nil {
		w.admin.Close()
	}
	if w.fake != nil {
		w.fake.Close()
	}
	if w.real != nil {
		w.real.close() // a folder that stays is the folder of temporary files'
	}
}

// client connects. It speaks to the brokers directly, past the cutter's faults if those spare it.
func (w *world) client(opts ...kgo.Opt) (*kgo.Client, error) {
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(w.cluster.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ClientID(ownClient),
		kgo.ProducerBatchMaxBytes(8 << 20), kgo.MaxBufferedRecords(2000), kgo.ProducerLinger(2 * time.Millisecond),
	}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to the brokers: %w", err)
	}
	return c, nil
}

// ownClient is the id of the scenario's own clients.
const ownClient = "chaos"

// committed returns the group's offset of each partition of the log, 0 for none.
func (w *world) committed(ctx context.Context, group string) ([]int64, error) {
	return w.committedOf(ctx, group, engine.EventsTopic)
}

// committedOf is committed for any topic.
func (w *world) committedOf(ctx context.Context, group, name string) ([]int64, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	topic := kmsg.NewOffsetFetchRequestTopic()
	topic.Topic = name
	for p := range w.partitions {
		topic.Partitions = append(topic.Partitions, p)
	}
	req.Topics = append(req.Topics, topic)
	v8 := kmsg.NewOffsetFetchRequestGroup()
	v8.Group = group
	gt := kmsg.NewOffsetFetchRequestGroupTopic()
	gt.Topic, gt.Partitions = topic.Topic, topic.Partitions
	v8.Topics = append(v8.Topics, gt)
	req.Groups = append(req.Groups, v8)
	resp, err := req.RequestWith(ctx, w.admin)
	if err != nil {
		return nil, fmt.Errorf("committed offsets of %s: %w", group, err)
	}
	at := make([]int64, w.partitions)
	set := func(p int32, offset int64, code int16) error {
		at[p] = max(0, offset)
		return kerr.ErrorForCode(code)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			err = errors.Join(err, set(p.Partition, p.Offset, p.ErrorCode))
		}
	}
	for _, g := range resp.Groups {
		err = errors.Join(err, kerr.ErrorForCode(g.ErrorCode))
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				err = errors.Join(err, set(p.Partition, p.Offset, p.ErrorCode))
			}
		}
	}
	return at, err
}

// members returns the ids of the group's members.
func (w *world) members(ctx context.Context, group string) (map[string]bool, error) {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{group}
	resp, err := req.RequestWith(ctx, w.admin)
	if err != nil {
		return nil, fmt.Errorf("members of %s: %w", group, err)
	}
	ids := map[string]bool{}
	for _, g := range resp.Groups {
		for _, m := range g.Members {
			ids[m.MemberID] = true
		}
	}
	return ids, nil
}

// evict takes members out of the group as their sessions' end would, only at once: else each kill costs the 20 s of a
// session before a successor gets the partitions.
func (w *world) evict(ctx context.Context, group string, ids map[string]bool) error {
	if len(ids) == 0 {
		return nil
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = group
	for id := range ids {
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = id
		req.Members = append(req.Members, m)
		req.MemberID = id
	}
	resp, err := req.RequestWith(ctx, w.admin)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil && !errors.Is(err, kerr.UnknownMemberID) {
		return fmt.Errorf("evict from %s: %w", group, err)
	}
	return nil
}

// ends are the offsets behind the last record of each partition.
func (w *world) ends(ctx context.Context, topic string) ([]int64, error) {
	m, err := w.cluster.Ends(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := make([]int64, w.partitions)
	for p, end := range m {
		out[p] = end
	}
	return out, nil
}

// feeder writes a log.
type feeder struct {
	client *kgo.Client
	counts *recount
	next   func() (*record, bool)
	stop   func()
	ahead  *record // read from next, not yet written
	// wrote, if set, is told each record that has been counted and is about to be sent.
	wrote func(rec *record, offset int64)

	mu  sync.Mutex // guards err
	err error
}

// errEnd is returned by a feeder at the end of its log.
var errEnd = errors.New("end of the log")

// send writes the next record. Records of a partition are written in order, whatever the broker does: the producer is
// idempotent.
func (f *feeder) send(ctx context.Context) error {
	rec, err := f.peek()
	if err != nil {
		return err
	}
	f.ahead = nil
	offset := f.counts.ends[rec.partition]
	f.counts.add(rec)
	if f.wrote != nil {
		f.wrote(rec, offset)
	}
	r := &kgo.Record{Topic: engine.EventsTopic, Partition: rec.partition, Key: []byte(event.Key(rec.partition)), Value: rec.value}
	f.client.Produce(ctx, r, func(r *kgo.Record, err error) {
		if err == nil && r.Offset == offset {
			return
		}
		if err == nil {
			err = fmt.Errorf("the log has record %d of partition %d at offset %d", offset, r.Partition, r.Offset)
		}
		f.mu.Lock()
		f.err = errors.Join(f.err, err)
		f.mu.Unlock()
	})
	return nil
}

func (f *feeder) peek() (*record, error) {
	if f.ahead != nil {
		return f.ahead, nil
	}
	rec, ok := f.next()
	if !ok {
		return nil, errEnd
	}
	f.ahead = rec
	return rec, nil
}

// flush waits until all that was sent is written.
func (f *feeder) flush(ctx context.Context) error {
	if err := f.client.Flush(ctx); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return fmt.Errorf("write the log: %w", f.err)
	}
	return nil
}

// until writes the log up to a log time; the end of the log is no error.
func (f *feeder) until(ctx context.Context, at event.Time) error {
	for ctx.Err() == nil {
		rec, err := f.peek()
		if errors.Is(err, errEnd) || err == nil && rec.now > at {
			break
		}
		if err == nil {
			err = f.send(ctx)
		}
		if err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.flush(ctx)
}

// live writes the log at the pace of the clock times speed, to its end, until a log time, or until quit is closed.
func (f *feeder) live(ctx context.Context, from event.Time, speed float64, to event.Time, quit <-chan struct{}) error {
	began := time.Now()
	for {
		rec, err := f.peek()
		if errors.Is(err, errEnd) || err == nil && rec.now > to {
			return f.flush(ctx)
		}
		due := began.Add(time.Duration(float64(rec.now-from) / speed * float64(time.Millisecond)))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return ctx.Err()
		case <-quit:
			return f.flush(ctx)
		}
		if err := f.send(ctx); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cutter stands in the brokers' listeners and does harm to connections.
type cutter struct {
	mu    sync.Mutex // guards conns
	conns map[*cutConn]bool
}

func (c *cutter) listen(network, address string) (net.Listener, error) {
	ln, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	return &cutListener{ln, c}, nil
}

type cutListener struct {
	net.Listener
	cutter *cutter
}

func (l *cutListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &cutConn{Conn: conn, cutter: l.cutter}
	l.cutter.mu.Lock()
	defer l.cutter.mu.Unlock()
	if l.cutter.conns == nil {
		l.cutter.conns = map[*cutConn]bool{}
	}
	l.cutter.conns[c] = true
	return c, nil
}

// cutConn is a broker's end of a connection.
type cutConn struct {
	net.Conn
	cutter *cutter
	mu     sync.Mutex // guards what follows
	mute   bool
	own    bool // a scenario's own client
	read   int
}

// Read looks at the first request for the client's id: the scenario's own connections are spared.
func (c *cutConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.read < 64 {
		c.read += n
		c.own = c.own || containsClient(b[:n])
	}
	return n, err
}

// Write loses the answer if the connection is mute, and ends it: the broker has done what was asked, and nobody hears of
// it.
func (c *cutConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	mute := c.mute
	c.mu.Unlock()
	if mute {
		c.Close()
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *cutConn) Close() error {
	c.cutter.mu.Lock()
	delete(c.cutter.conns, c)
	c.cutter.mu.Unlock()
	return c.Conn.Close()
}

func containsClient(b []byte) bool {
	for i := 0; i+len(ownClient)+2 <= len(b) && i < 64; i++ {
		if b[i] == 0 && int(b[i+1]) == len(ownClient) && string(b[i+2:i+2+len(ownClient)]) == ownClient {
			return true
		}
	}
	return false
}

// cut ends every connection of the workers; with mute their next answer is lost first. It returns how many there were.
func (c *cutter) cut(mute bool) int {
	c.mu.Lock()
	var list []*cutConn
	for conn := range c.conns {
		conn.mu.Lock()
		if !conn.own {
			conn.mute = mute
			list = append(list, conn)
		}
		conn.mu.Unlock()
	}
	c.mu.Unlock()
	if !mute {
		for _, conn := range list {
			conn.Close()
		}
	}
	return len(list)
}
