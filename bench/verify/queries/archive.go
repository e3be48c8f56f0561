package queries

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/emit/lake/commits"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/broker"
	"millrace/internal/kafka"
)

const (
	// every is how much of the log's time a segment is: there are 13 months of it.
	every = 8 * time.Hour
	// endSite is that of the last event of each partition's log, by which is seen that all has been read.
	endSite = "end.example"
)

// now is when queries are asked: so long after the last event that nothing comes any more, and visits have not ended.
var now = last + 20*event.Minute

// archive writes the traffic to a log, and has it archived as serve does.
func (r *run) archive(ctx context.Context) (err error) {
	b, err := broker.Open(broker.Options{Dir: r.log(), Logger: r.Log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	cluster := &kafka.Cluster{Brokers: b.Addrs(), Dialer: b.Dialer(), Replication: 1}
	err = cluster.EnsureTopics(ctx, kafka.Topic{Name: engine.EventsTopic, Partitions: partitions}, kafka.Topic{Name: commits.Topic, Partitions: partitions})
	if err != nil {
		return err
	}
	if err := r.produce(ctx, b); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	read := make(chan struct{}, 2*partitions)
	var ends atomic.Int32
	archiver, closeIt, err := r.Archive(Archiving{
		Cluster: cluster, Partitions: partitions, Store: r.lake, Every: every, Log: r.Log,
		NewDeriver: func() engine.Deriver {
			return &ending{Deriver: r.newDeriver(), end: func() {
				if ends.Add(1) == partitions {
					read <- struct{}{}
				}
			}}
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeIt()) }()
	running, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 1)
	go func() { failed <- archiver(running) }()
	select {
	case <-read:
		stop() // what is left is sealed
		err = <-failed
	case err = <-failed:
	}
	if err != nil {
		return err
	}
	return r.sayFiles(ctx)
}

// sayFiles says what files of hits and visits there are.
func (r *run) sayFiles(ctx context.Context) error {
	s, err := commits.NewReader(commits.ReaderOptions{Store: r.lake, Topic: engine.EventsTopic, Partitions: partitions}).Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("read what is committed: %w", err)
	}
	files, merged := [2]int{}, [2]int{}
	for _, p := range s.Partitions {
		for _, t := range commits.Tables() {
			for _, f := range p.Files(t) {
				if files[t]++; f.Level > commits.Segment {
					merged[t]++
				}
			}
		}
	}
	r.say("archived: %d files of hits, %d of them merged; %d of visits, %d of them merged", files[commits.Hits], merged[commits.Hits], files[commits.Visits], merged[commits.Visits])
	return nil
}

// ending is a Deriver that sees the end of the log.
type ending struct {
	engine.Deriver
	end func()
}

func (e *ending) Row(ev *event.Event, row *window.Row) {
	if ev.Site == endSite {
		e.end()
	}
	e.Deriver.Row(ev, row)
}

// produce writes the log.
func (r *run) produce(ctx context.Context, b *broker.Broker) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.Dialer(b.DialContext), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(1<<20), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	if err != nil {
		return err
	}
	defer client.Close()
	var failed atomic.Pointer[error]
	records := 0
	w := &writer{sites: r.sites, put: func(rec record) error {
		records++
		client.Produce(ctx, &kgo.Record{Topic: engine.EventsTopic, Partition: rec.partition, Key: []byte(event.Key(rec.partition)), Value: rec.value},
			func(_ *kgo.Record, err error) {
				if err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			})
		if p := failed.Load(); p != nil {
			return *p
		}
		return nil
	}}
	list, err := makeTraffic(r.Seed, r.Events, r.sites)
	if err != nil {
		return err
	}
	if err := w.write(list); err != nil {
		return err
	}
	if err := w.end(last + 10*event.Minute); err != nil {
		return err
	}
	err = client.Flush(ctx)
	if p := failed.Load(); p != nil {
		err = errors.Join(err, *p)
	}
	r.say("%d events of %d sites in %d records", len(list), len(r.sites), records)
	return err
}
