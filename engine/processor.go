package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/codec"
	"github.com/lovoo/goka/storage"

	"millrace/engine/delta"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
)

// Topics and group of the engine: what it reads, what it writes. Their names are declared where their
// records are; in a cluster they are those of Options.Cluster.Names.
const (
	EventsTopic  = event.Topic
	WindowsTopic = window.Topic
	Group        = "millrace.engine"
)

// Table is the journal as goka's group table. Package state has it.
type Table interface {
	Builder(topic string, partition int32) (storage.Storage, error)
	Update(ctx goka.UpdateContext, s storage.Storage, key string, value []byte) error
	Acked(partition int32, offset, position int64)
	Committed(partition int32, next int64)
}

// Options are the settings of a Processor. All but Rules, Standby, Fired, Observe and Reading are required.
type Options struct {
	Cluster *kafka.Cluster
	// Table is the journal, and Store returns the open store of one of its partitions.
	Table Table
	Store func(partition int32) (Store, bool)
	// NewDeriver returns a Deriver for one partition.
	NewDeriver func() Deriver
	// Rules say when windows fire.
	Rules Rules
	// Partitions is the number of partitions of the topics.
	Partitions int
	Log        *slog.Logger
	// Standby makes the processor also follow the changelog of the partitions it does not own, so that it can take them
	// over at once.
	Standby bool
	// Fired, if set, is told that all windows of minutes that end at until or before have been acknowledged. It is called
	// from one goroutine for all partitions, so it must be quick.
	Fired func(partition int32, until event.Time)
	// Observe, if set, is told the state of a partition's core after each record, from the partition's
	// goroutine.
	Observe func(partition int32, s Snapshot)
	// Reading, if set, learns how far the events are read.
	Reading *kafka.Reading
}

// Snapshot is what metrics tell about a partition.
type Snapshot struct {
	Counters  Counters
	Watermark event.Time
	// LogTime is the largest low seen: what the collectors' clocks said.
	LogTime event.Time
	Offset  int64
	// OpenWindows are windows of minutes that have not fired as final; LiveVisits may still change; Untracked are
	// events without a visit because their site has too many.
	OpenWindows, LiveVisits int
	Untracked               int64
	// IDs are remembered for duplicates.
	IDs int
}

// errNotTaken stands for the error of a store that goka has kept to itself.
var errNotTaken = errors.New("the state has not taken the delta of a record")

// Processor is the goka processor around the partitions.
type Processor struct {
	opts Options
	goka *goka.Processor

	mu         sync.Mutex // guards what follows
	partitions map[int32]*owned
	assigned   map[int32]bool // partitions of this session
	committed  map[int32]int64
	oldest     map[int32]time.Time // see Status
	positions  positions
	failed     error // the first failure of a callback: goka hands on no more than its text, and a stack
}

// owned is a Partition and the store it was opened on: after a rebalance the store is another one.
type owned struct {
	store Store
	*Partition
	snapshot atomic.Pointer[Snapshot] // after the last record
}

// New connects to the cluster and prepares the processor.
func New(o Options) (*Processor, error) {
	if err := o.Rules.Validate(); err != nil {
		return nil, err
	}
	p := &Processor{opts: o, partitions: map[int32]*owned{}, committed: map[int32]int64{}, oldest: map[int32]time.Time{}}
	group, windows := p.name(Group), p.name(WindowsTopic)
	table := kafka.TableTopic(group)
	graph := goka.DefineGroup(goka.Group(group),
		goka.Input(goka.Stream(p.name(EventsTopic)), new(codec.Bytes), p.process),
		goka.Output(goka.Stream(windows), new(codec.Bytes)),
		goka.Output(goka.Stream(p.name(deadletter.Topic)), new(codec.Bytes)),
		goka.Persist(new(codec.Bytes)),
	)
	opts := o.Cluster.GokaOptions(kafka.GroupOptions{
		Hasher:   event.NewHasher,
		Table:    table,
		Log:      o.Log,
		OnCommit: p.onCommit,
		OnOldest: p.onOldest,
		Reading:  o.Reading,
		OnProduced: func(m *sarama.ProducerMessage) {
			switch m.Topic {
			case table:
				p.onAck(m)
			case windows:
				p.onProgress(m)
			}
		},
		Key: func(topic, key string, value []byte) string {
			if topic != table {
				return key
			}
			// The record's key is the client's to choose; the delta knows its partition.
			if h, err := delta.DecodeHead(value); err == nil {
				return event.Key(h.Partition)
			}
			return key
		},
	})
	opts = append(opts, goka.WithStorageBuilder(o.Table.Builder), goka.WithUpdateCallback(o.Table.Update), goka.WithRebalanceCallback(p.assign))
	if o.Standby {
		opts = append(opts, goka.WithHotStandby())
	}
	proc, err := goka.NewProcessor(o.Cluster.Brokers, graph, opts...)
	if err != nil {
		return nil, fmt.Errorf("prepare engine: %w", err)
	}
	p.goka = proc
	return p, nil
}

// name returns what a topic or group of the engine is called in the cluster.
func (p *Processor) name(of string) string { return p.opts.Cluster.Names.Of(of) }

// Run processes until ctx ends. It can be called once.
func (p *Processor) Run(ctx context.Context) error {
	asking, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { p.ask(asking) })
	err := p.goka.Run(ctx)
	cancel()
	wg.Wait()
	p.assign(nil)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil && p.failed != nil {
		return p.failed
	}
	return err
}

// fail ends the processor. The record stays unfinished: Fail alone does nothing once the session has ended, and goka would take
// a record of which nothing was written for one that is done.
func (p *Processor) fail(ctx goka.Context, err error) {
	p.mu.Lock()
	p.failed = cmp.Or(p.failed, err)
	p.mu.Unlock()
	ctx.DeferCommit()(err)
	ctx.Fail(err)
}

// Ready reports whether the state is recovered and records are being processed.
func (p *Processor) Ready() bool { return p.goka.Recovered() }

func (p *Processor) onAck(m *sarama.ProducerMessage) {
	b, err := m.Value.Encode()
	if err != nil {
		return
	}
	if h, err := delta.DecodeHead(b); err == nil {
		p.opts.Table.Acked(m.Partition, h.Offset, m.Offset)
	}
}

func (p *Processor) onCommit(_ string, partition int32, next int64) {
	p.mu.Lock()
	p.committed[partition] = max(p.committed[partition], next)
	p.mu.Unlock()
	p.opts.Table.Committed(partition, next)
}

// partition returns the Partition for a record, opened anew if its store is.
func (p *Processor) partition(id int32) (*owned, error) {
	s, ok := p.opts.Store(id)
	if !ok {
		return nil, fmt.Errorf("partition %d: its state is not open", id)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if o := p.partitions[id]; o != nil && o.store == s {
		return o, nil
	}
	part, err := OpenPartition(id, p.opts.Partitions, s, p.opts.Rules, p.opts.NewDeriver())
	if err != nil {
		return nil, err
	}
	if err := part.CheckCommitted(p.committed[id]); err != nil {
		return nil, err
	}
	o := &owned{store: s, Partition: part}
	p.partitions[id] = o
	return o, nil
}

func (p *Processor) process(ctx goka.Context, msg any) {
	value, _ := msg.([]byte) // nil for a record without a value
	part, err := p.partition(ctx.Partition())
	if err != nil {
		p.fail(ctx, err)
		return
	}
	if err := part.Process(ctx.Offset(), value, &output{ctx: ctx, names: p.opts.Cluster.Names, store: part.store, value: value}); err != nil {
		p.fail(ctx, err)
		return
	}
	s := part.Core().Snapshot()
	s.Offset = ctx.Offset()
	part.snapshot.Store(&s)
	if p.opts.Observe != nil {
		p.opts.Observe(ctx.Partition(), s)
	}
}

// output is Output on goka's context.
type output struct {
	ctx   goka.Context
	names kafka.Names
	store Store
	value []byte
}

// Delta has to ask the store once the session has ended: an error of the store ends the session, and is passed over by goka
// where that has ended already.
func (o *output) Delta(b []byte) error {
	o.ctx.SetValue(b)
	if o.ctx.Context().Err() == nil {
		return nil
	}
	if _, err := o.store.Outbox(o.ctx.Offset()); err != nil {
		return err
	}
	if o.store.Last() < o.ctx.Offset() {
		return errNotTaken
	}
	return nil
}

func (o *output) Window(key string, value []byte) error {
	o.ctx.Emit(goka.Stream(o.names.Of(WindowsTopic)), key, value)
	return nil
}

func (o *output) Dead(reason error) error {
	l := deadletter.Letter{
		Topic: string(o.ctx.Topic()), Partition: o.ctx.Partition(), Offset: o.ctx.Offset(),
		Reason: reason.Error(), Key: o.ctx.Key(), Value: o.value,
	}
	o.ctx.Emit(goka.Stream(o.names.Of(deadletter.Topic)), fmt.Sprintf("%s/%d/%d", l.Topic, l.Partition, l.Offset), l.Append(nil))
	return nil
}
