package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/bench/tally"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/deadletter"
)

// sink reads millrace.windows and the dead letters while they are written, and keeps the newest
// version of each window.
type sink struct {
	client *kgo.Client
	done   chan struct{}
	forget bool // the brokers may drop what has been read of the windows
	world  *world
	reader string // a group that reads the windows, too; "": none does
	fresh  int    // bytes of it that they have not been told to drop

	mu   sync.Mutex // guards what follows
	err  error
	next map[string][]int64 // what has been read of each topic
	kept
	progs   []event.Time // of each partition
	firings int
	bytes   int64
	letters map[string]string // what was dead: reason by coordinates
	fired   func(w *window.Window, at time.Time)
}

// kept is what a sink keeps of the windows.
type kept struct {
	windows tally.Written
	raw     map[tally.Window][]byte // the last record of each
}

// newKept returns one without windows.
func newKept() kept { return kept{windows: tally.Written{}, raw: map[tally.Window][]byte{}} }

// newSink starts to read. Fired, if not nil, is told each window as it comes. Forget says that
// nobody else reads the windows.
func newSink(w *world, fired func(*window.Window, time.Time), forget bool) (*sink, error) {
	offsets := map[int32]kgo.Offset{}
	for p := range w.partitions {
		offsets[p] = kgo.NewOffset().AtStart()
	}
	client, err := w.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		engine.WindowsTopic: offsets, deadletter.Topic: offsets,
	}), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	s := &sink{
		client: client, world: w, done: make(chan struct{}), forget: forget, fired: fired, kept: newKept(), letters: map[string]string{},
		next:  map[string][]int64{engine.WindowsTopic: make([]int64, w.partitions), deadletter.Topic: make([]int64, w.partitions)},
		progs: make([]event.Time, w.partitions),
	}
	go s.run()
	return s, nil
}

// close ends the reading and waits for it.
func (s *sink) close() {
	s.client.Close()
	<-s.done
}

// run reads until close.
func (s *sink) run() {
	defer close(s.done)
	for {
		fetches := s.client.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		s.mu.Lock()
		fetches.EachRecord(func(r *kgo.Record) {
			s.next[r.Topic][r.Partition] = r.Offset + 1
			if r.Topic == deadletter.Topic {
				s.letter(r)
				return
			}
			s.bytes += int64(len(r.Value))
			if err := s.take(r); err != nil {
				s.err = errors.Join(s.err, fmt.Errorf("record %d of %s/%d: %w", r.Offset, r.Topic, r.Partition, err))
			}
		})
		s.mu.Unlock()
		fetches.EachRecord(func(r *kgo.Record) { s.fresh += len(r.Value) })
		if s.forget && s.fresh > forgetBytes {
			s.fresh = 0
			s.drop()
		}
	}
}

// forgetBytes is after how much has been read the brokers drop it.
const forgetBytes = 64 << 20

// drop lets the brokers drop the windows that have been read: brokers in this process keep them in
// memory, and a log of late events gives some 25 GB. If it can't be done now, it is tried again
// after as much.
func (s *sink) drop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var others []int64
	if s.reader != "" {
		var err error
		if others, err = s.world.committedOf(ctx, s.reader, engine.WindowsTopic); err != nil {
			return
		}
	}
	var read kadm.Offsets
	s.mu.Lock()
	for p, next := range s.next[engine.WindowsTopic] {
		if others != nil {
			next = min(next, others[p])
		}
		read.AddOffset(engine.WindowsTopic, int32(p), next, -1)
	}
	s.mu.Unlock()
	kadm.NewClient(s.client).DeleteRecords(ctx, read)
}

// letter notes a dead letter by where the record stood that it is about.
func (s *sink) letter(r *kgo.Record) {
	l, err := deadletter.Parse(r.Value)
	if err != nil {
		s.err = errors.Join(s.err, err)
		return
	}
	s.letters[fmt.Sprintf("%s/%d/%d", l.Topic, l.Partition, l.Offset)] = l.Reason
}

// take is rule J10: never back to an older version; parts of one version make up one window.
func (s *sink) take(r *kgo.Record) error {
	value := bytes.Clone(r.Value) // what is kept of it must not keep all that was fetched with it
	rec, err := window.Decode(value)
	if err != nil {
		return err
	}
	if p := rec.Progress; p != nil {
		s.progs[p.Partition] = max(s.progs[p.Partition], p.Low)
		return nil
	}
	w := rec.Window
	s.firings++
	if s.fired != nil {
		s.fired(w, r.Timestamp)
	}
	if s.windows.Take(w) != nil {
		s.raw[tally.Window{Kind: w.Kind, Site: w.Site, Start: w.Start}] = value
	}
	return nil
}

// readTo waits until the sink has read a topic to its ends.
func (s *sink) readTo(ctx context.Context, topic string, ends []int64) error {
	for {
		s.mu.Lock()
		behind := int64(0)
		for p, end := range ends {
			behind += max(0, end-s.next[topic][p])
		}
		err := s.err
		s.mu.Unlock()
		if err != nil || behind == 0 {
			return err
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("read %s: %d records are left: %w", topic, behind, err)
		}
	}
}
