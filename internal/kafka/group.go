package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

// commitEvery is how often finished prefixes are committed. A crash repeats at most this much,
// which costs work and never a wrong number.
const commitEvery = 500 * time.Millisecond

// betweenSessions keeps a member whose sessions end at once from turning in a circle.
const betweenSessions = 50 * time.Millisecond

// group is a consumer group that commits contiguous prefixes. It stands where goka wants a
// sarama.ConsumerGroup.
type group struct {
	sarama.ConsumerGroup
	client   sarama.Client
	name     string
	log      *slog.Logger
	onCommit func(topic string, partition int32, next int64)
	onOldest func(topic string, partition int32, taken time.Time)
	limit    func(topic string, partition int32) int64
	reading  *Reading // nil: none

	errs chan error            // what watch passes on
	done chan struct{}         // closed when watch has ended
	lost atomic.Pointer[error] // a committed offset is not in its topic any more
}

func (c *Cluster) newGroup(name, clientID string, o GroupOptions) (sarama.ConsumerGroup, error) {
	cfg := c.configTo(ToRead)
	cfg.ClientID = clientID
	client, err := openFetching(c.copyBrokers(), cfg)
	if err != nil {
		return nil, fmt.Errorf("connect consumer group %s: %w", name, err)
	}
	cg, err := sarama.NewConsumerGroupFromClient(name, client)
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("join consumer group %s: %w", name, err)
	}
	g := &group{
		ConsumerGroup: cg, client: client, name: name, log: o.Log, onCommit: o.OnCommit, onOldest: o.OnOldest, limit: o.Limit, reading: o.Reading,
		errs: make(chan error, 16), done: make(chan struct{}),
	}
	go g.watch()
	return g, nil
}

// watch passes the group's errors on until it is closed. goka only logs them and joins again, for
// ever; an offset that is lost stays lost, so that error is kept for Consume to return.
func (g *group) watch() {
	defer close(g.done)
	defer close(g.errs)
	for err := range g.ConsumerGroup.Errors() {
		g.reading.failed(err)
		if errors.Is(err, sarama.ErrOffsetOutOfRange) {
			err = fmt.Errorf("consumer group %s: its offset is not in the topic: records have expired unread, or the topic was made anew; set the group's offset by hand to say where to go on: %w", g.name, err)
			g.lost.CompareAndSwap(nil, &err)
		}
		select {
		case g.errs <- err:
		default: // no one reads
		}
	}
}

func (g *group) Errors() <-chan error { return g.errs }

// Consume runs one session after the other until ctx ends or one of them ends with an error. goka
// wants to learn of the end of each, but waits for 5 s before it begins the next, and a rebalance
// waits for its slowest member.
func (g *group) Consume(ctx context.Context, topics []string, h sarama.ConsumerGroupHandler) error {
	for {
		// The error may come a moment after the session that it ended: then the next one is not
		// begun.
		if err := g.lost.Load(); err != nil {
			return *err
		}
		err := g.ConsumerGroup.Consume(ctx, topics, &handler{group: g, inner: h})
		if err != nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(betweenSessions):
		}
	}
}

func (g *group) Close() error {
	err := g.ConsumerGroup.Close()
	<-g.done
	if cerr := g.client.Close(); cerr != nil && !errors.Is(cerr, sarama.ErrClosedClient) {
		err = errors.Join(err, cerr)
	}
	return err
}

// handler wraps the session that goka sees.
type handler struct {
	group *group
	inner sarama.ConsumerGroupHandler

	sess   *session
	claims int // partitions of the session
}

func (h *handler) Setup(s sarama.ConsumerGroupSession) error {
	h.sess = newSession(h.group, s)
	for _, partitions := range s.Claims() {
		h.claims += len(partitions)
	}
	return h.inner.Setup(h.sess)
}

// Cleanup runs when all claims have ended. goka waits in it for the records it has in hand, so that
// the last commit comes after.
func (h *handler) Cleanup(sarama.ConsumerGroupSession) error {
	err := h.inner.Cleanup(h.sess)
	h.sess.stop()
	return err
}

func (h *handler) ConsumeClaim(_ sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	p := h.sess.claim(c)
	ctx, cancel := context.WithCancel(h.sess.Context())
	of := map[string][]int32{c.Topic(): {c.Partition()}}
	wrapped := &claim{
		ConsumerGroupClaim: c, out: make(chan *sarama.ConsumerMessage), most: holdOf(h.claims),
		pause: func() { h.group.Pause(of) }, resume: func() { h.group.Resume(of) },
	}
	done := make(chan struct{})
	at := h.group.reading.enter(topicPartition{c.Topic(), c.Partition()}, c.InitialOffset())
	go func() {
		defer close(done)
		defer h.group.reading.leave(at)
		wrapped.forward(ctx, p, at)
	}()
	err := h.inner.ConsumeClaim(h.sess, wrapped)
	cancel()
	<-done
	return err
}

type topicPartition struct {
	topic     string
	partition int32
}

// session replaces marking by prefixes and commits them from one goroutine.
type session struct {
	sarama.ConsumerGroupSession
	group *group
	quit  chan struct{}
	done  chan struct{}

	mu       sync.Mutex // guards what follows
	prefixes map[topicPartition]*Prefix
	sent     map[topicPartition]int64 // last committed
}

func newSession(g *group, s sarama.ConsumerGroupSession) *session {
	w := &session{
		ConsumerGroupSession: s,
		group:                g,
		quit:                 make(chan struct{}),
		done:                 make(chan struct{}),
		prefixes:             map[topicPartition]*Prefix{},
		sent:                 map[topicPartition]int64{},
	}
	go w.run()
	return w
}

func (s *session) claim(c sarama.ConsumerGroupClaim) *Prefix {
	tp := topicPartition{c.Topic(), c.Partition()}
	// A negative initial offset stands for the oldest: nothing has been committed yet.
	p := NewPrefix(c.InitialOffset())
	s.mu.Lock()
	s.prefixes[tp], s.sent[tp] = p, c.InitialOffset()
	s.mu.Unlock()
	if c.InitialOffset() >= 0 && s.group.onCommit != nil {
		s.group.onCommit(tp.topic, tp.partition, c.InitialOffset())
	}
	return p
}

func (s *session) MarkMessage(m *sarama.ConsumerMessage, _ string) {
	s.MarkOffset(m.Topic, m.Partition, m.Offset+1, "")
}

func (s *session) MarkOffset(topic string, partition int32, next int64, _ string) {
	s.mu.Lock()
	p := s.prefixes[topicPartition{topic, partition}]
	s.mu.Unlock()
	if p != nil {
		p.Finish(next - 1)
	}
}

// Commit does nothing: run commits.
func (s *session) Commit() {}

// ResetOffset does nothing: offsets only grow.
func (s *session) ResetOffset(string, int32, int64, string) {}

func (s *session) run() {
	defer close(s.done)
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.tellOldest()
			s.commit()
		case <-s.quit:
			s.commit()
			return
		}
	}
}

// tellOldest reports how long records have waited for their commit.
func (s *session) tellOldest() {
	s.mu.Lock()
	oldest := make(map[topicPartition]time.Time, len(s.prefixes))
	for tp, p := range s.prefixes {
		oldest[tp] = p.Oldest(s.sent[tp])
	}
	s.mu.Unlock()
	if s.group.onOldest == nil {
		return
	}
	for tp, taken := range oldest {
		s.group.onOldest(tp.topic, tp.partition, taken)
	}
}

func (s *session) stop() {
	close(s.quit)
	<-s.done
}

// commit sends what has moved. What fails is sent again by the next call, or is repeated by the
// next owner.
func (s *session) commit() {
	moved := s.moved()
	if len(moved) == 0 {
		return
	}
	req := &sarama.OffsetCommitRequest{
		Version:                 2,
		ConsumerGroup:           s.group.name,
		ConsumerGroupGeneration: s.GenerationID(),
		ConsumerID:              s.MemberID(),
		RetentionTime:           -1,
	}
	for tp, next := range moved {
		req.AddBlock(tp.topic, tp.partition, next, 0, "")
	}
	broker, err := s.group.client.Coordinator(s.group.name)
	if err != nil {
		s.group.log.Warn("commit offsets: find coordinator", "group", s.group.name, "err", err)
		return
	}
	resp, err := broker.CommitOffset(req)
	if err != nil {
		s.group.log.Warn("commit offsets", "group", s.group.name, "err", err)
		s.refresh()
		return
	}
	for topic, parts := range resp.Errors {
		for part, kerr := range parts {
			s.committed(topicPartition{topic, part}, moved, kerr)
		}
	}
}

func (s *session) moved() map[topicPartition]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	moved := map[topicPartition]int64{}
	for tp, p := range s.prefixes {
		next := p.Position()
		if s.group.limit != nil {
			next = min(next, s.group.limit(tp.topic, tp.partition))
		}
		if next >= 0 && next > s.sent[tp] {
			moved[tp] = next
		}
	}
	return moved
}

func (s *session) committed(tp topicPartition, moved map[topicPartition]int64, kerr sarama.KError) {
	next, ok := moved[tp]
	if !ok {
		return
	}
	switch kerr {
	case sarama.ErrNoError:
		s.mu.Lock()
		s.sent[tp] = next
		s.mu.Unlock()
		if s.group.onCommit != nil {
			s.group.onCommit(tp.topic, tp.partition, next)
		}
	case sarama.ErrNotCoordinatorForConsumer, sarama.ErrConsumerCoordinatorNotAvailable:
		s.refresh()
	default:
		// A member that was replaced learns of it here; Sarama ends its session soon after.
		s.group.log.Warn("commit offsets refused", "group", s.group.name, "topic", tp.topic, "partition", tp.partition, "err", kerr)
	}
}

func (s *session) refresh() {
	if err := s.group.client.RefreshCoordinator(s.group.name); err != nil {
		s.group.log.Warn("find coordinator", "group", s.group.name, "err", err)
	}
}
