package engine

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"millrace/engine/window"
	"millrace/internal/kafka"
)

// Status is what operators are told of a partition of this process: one that it owns, or follows as a standby.
type Status struct {
	Partition int32
	Owned     bool
	// Snapshot is that of the last record processed, nil before the first.
	Snapshot *Snapshot
	// End is the offset behind the last record of the log, of a partition that is owned; Committed the group's offset;
	// ChangelogEnd the position behind the last record of the changelog, of one that is followed. All are as of some seconds
	// ago, -1 if not known.
	End, Committed, ChangelogEnd int64
	// Oldest is when the oldest record that is not committed was taken from the log; the zero time if there is none.
	Oldest time.Time
}

// Unread returns the number of records of the log that have not been processed.
func (s *Status) Unread() int64 {
	next := s.Committed
	if s.Snapshot != nil {
		next = max(next, s.Snapshot.Offset+1)
	}
	if s.End < 0 {
		return 0
	}
	return max(s.End-max(next, 0), 0)
}

// Behind returns how long ago, by the clock of the collectors, the log was where the partition is now; 0 if it has no records
// that are not processed.
func (s *Status) Behind(now time.Time) time.Duration {
	if s.Unread() == 0 || s.Snapshot == nil {
		return 0
	}
	return max(now.Sub(s.Snapshot.LogTime.Std()), 0)
}

// positions are what the cluster was last asked.
type positions struct {
	ends, committed, changelog map[int32]int64
}

const (
	// askEvery is how often the cluster is asked for positions, and askAgain how soon after it gave no answer.
	askEvery = 2 * time.Second
	askAgain = 5 * time.Second
)

// Status returns the partitions that this process owns, and with Options.Standby all others, in order.
func (p *Processor) Status() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	pos := p.positions
	at := func(m map[int32]int64, id int32) int64 {
		if v, ok := m[id]; ok {
			return v
		}
		return -1
	}
	var all []Status
	for id := range int32(p.opts.Partitions) {
		owned := p.assigned[id]
		if !owned && !p.opts.Standby {
			continue
		}
		s := Status{Partition: id, Owned: owned, End: at(pos.ends, id), Committed: at(pos.committed, id), ChangelogEnd: at(pos.changelog, id)}
		if owned {
			s.Committed = max(s.Committed, at(p.committed, id))
			s.Oldest = p.oldest[id]
			if o := p.partitions[id]; o != nil {
				s.Snapshot = o.snapshot.Load()
			}
		}
		all = append(all, s)
	}
	return all
}

// assign notes which partitions this process owns from now on. What it held of others is forgotten: their new owner tells
// of them, and their windows need memory.
func (p *Processor) assign(a goka.Assignment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.assigned = map[int32]bool{}
	for id := range a {
		p.assigned[id] = true
	}
	lost := func(id int32) bool { return !p.assigned[id] }
	maps.DeleteFunc(p.partitions, func(id int32, _ *owned) bool { return lost(id) })
	maps.DeleteFunc(p.oldest, func(id int32, _ time.Time) bool { return lost(id) })
}

func (p *Processor) onOldest(_ string, partition int32, taken time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.oldest[partition] = taken
}

// ask keeps the positions until ctx ends. A standby learns from them what may be deleted: it commits nothing itself (J8).
func (p *Processor) ask(ctx context.Context) {
	for ctx.Err() == nil {
		err := p.askOn(ctx)
		p.opts.Log.Debug("the positions of the log are not known", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(askAgain):
		}
	}
}

// askOn asks until ctx ends or there is no answer.
func (p *Processor) askOn(ctx context.Context) error {
	o, err := p.opts.Cluster.OpenOffsets()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { o.Close() })() // cuts off what waits for a broker
	defer o.Close()
	for {
		if err := p.askOnce(o); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(askEvery):
		}
	}
}

func (p *Processor) askOnce(o *kafka.Offsets) (err error) {
	p.mu.Lock()
	assigned := maps.Clone(p.assigned)
	p.mu.Unlock()
	var mine, others []int32
	for id := range int32(p.opts.Partitions) {
		if assigned[id] {
			mine = append(mine, id)
		} else if p.opts.Standby {
			others = append(others, id)
		}
	}
	var pos positions
	if pos.ends, err = o.EndsOf(p.name(EventsTopic), mine); err != nil {
		return err
	}
	if pos.changelog, err = o.EndsOf(kafka.TableTopic(p.name(Group)), others); err != nil {
		return err
	}
	if pos.committed, err = o.Committed(p.name(Group), p.name(EventsTopic)); err != nil {
		return err
	}
	p.mu.Lock()
	p.positions = pos
	p.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(pos.committed)) {
		if !assigned[id] {
			p.opts.Table.Committed(id, pos.committed[id])
		}
	}
	return nil
}

// onProgress tells Options.Fired what an acknowledged record of millrace.windows says of the partition's progress. The windows
// before it have been acknowledged: they are in the same partition.
func (p *Processor) onProgress(m *sarama.ProducerMessage) {
	key, ok := m.Key.(sarama.StringEncoder)
	if p.opts.Fired == nil || !ok || !strings.HasPrefix(string(key), "#") {
		return
	}
	b, err := m.Value.Encode()
	if err != nil {
		return
	}
	if rec, err := window.Decode(b); err == nil && rec.Progress != nil {
		p.opts.Fired(rec.Progress.Partition, rec.Progress.Low)
	}
}
