package ingest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/ingest/spool"
)

// spooler keeps the events of clients that never send again while Kafka does not take them, and
// drains them when it does again (drain.go).
//
// A request goes to the spool when it has waited for Kafka as long as any request does, or at once
// when its partition is known to be away: nothing has been acknowledged there since a record failed.
// Then its events are not handed to the client at all, and requests of other clients are refused
// without a wait, so that they do not fill the memory. The ticks go on and show when Kafka is back.
//
// # Counted once
//
// What timed out may be in the log even so, and the engine remembers ids for ten minutes only, by
// the log's clock. So the spool knows behind which offset such a copy would be (spool.Entry.After),
// and what is drained is looked for there first. That is certain: the client keeps the order of a
// partition, and what it gave up it fences with a new epoch; so once a tick that was handed over
// later is acknowledged, each record before it is in front of it or never will be. After a crash
// there is no fence. A request of the dead process that a broker has received and not yet carried
// out would have to be carried out after the new process has looked, seconds later; even then the
// engine drops the copy, unless in between another collector's records move its clock by more than
// ten minutes. A collector that may not read the topic drains without a look.
//
// # In its own minute
//
// While a partition has events in the spool its low watermark stands (partition.low), so that their
// minutes do not become final. If other collectors reach Kafka while this one does not, the engine
// takes it for silent after --silent-after, and the events are late when they come: counted within
// --lateness, archived and left to the next replay beyond it.
type spooler struct {
	c   *Collector
	log *spool.Log
	max int64

	away    atomic.Int32 // partitions that Kafka does not take records of
	waiting atomic.Int64 // requests that may still append
	trouble atomic.Pointer[error]
	wake    chan struct{}
}

// spoolAfter is how long a collector that closes waits for Kafka, so that what has not been answered
// is in the spool before the process is killed.
const spoolAfter = 3 * time.Second

// toSpool is in request.of for an event that was not handed to Kafka's client.
const toSpool = -1

// openSpool opens the spool, if there is to be one, and holds the low watermarks of what it has.
func (c *Collector) openSpool() error {
	if c.opts.Spool == nil {
		return nil
	}
	log, err := spool.Open(*c.opts.Spool)
	if err != nil {
		return err
	}
	s := &spooler{c: c, log: log, max: c.opts.Spool.MaxBytes, wake: make(chan struct{}, 1)}
	log.Held(func(partition int32, events int, from event.Time) {
		if int(partition) >= len(c.partitions) {
			err = fmt.Errorf("the spool %s has events of partition %d, topic %q has %d partitions: it belongs to another topic",
				c.opts.Spool.Dir, partition, c.opts.Topic, len(c.partitions))
			return
		}
		p := c.partitions[partition]
		p.mu.Lock()
		p.holdBack(events, from)
		p.mu.Unlock()
	})
	if err != nil {
		return errors.Join(err, log.Close())
	}
	if st := log.Stats(); st.Events > 0 {
		c.opts.Log.Info("the spool has events that Kafka did not take", "events", st.Events, "bytes", st.Bytes, "oldest", st.Oldest.Std())
	}
	c.spooler = s
	c.metrics.watchSpool(s)
	return nil
}

// spools reports whether a request's events go to the spool when Kafka does not take them. A page
// that can't read the answer (mode no-cors, as sendBeacon has it) sends nothing again, whatever its
// tracker would do.
func (c *Collector) spools(r *request) bool {
	return c.spooler != nil && (r.NeverResends || r.head.noCORS)
}

// someAway reports whether Kafka is known not to take an event of a request.
func (c *Collector) someAway(inputs []protocol.Input) bool {
	if c.spooler == nil || c.spooler.away.Load() == 0 {
		return false
	}
	for i := range inputs {
		if c.partition(&inputs[i]).away.Load() {
			return true
		}
	}
	return false
}

// setAway notes whether Kafka has just taken a record of the partition.
func (p *partition) setAway(away bool) {
	if p.away.Load() == away || !p.away.CompareAndSwap(!away, away) {
		return
	}
	s := p.c.spooler
	switch {
	case s == nil:
	case away:
		if s.away.Add(1) == 1 {
			p.c.opts.Log.Warn("Kafka does not take records: events of clients that never send again go to the spool, others are answered with 503",
				"partition", p.id)
		}
	default:
		s.away.Add(-1)
		s.nudge()
	}
}

// holdBack holds low back for n events that go to the spool or are there. REQUIRES: p.mu.
func (p *partition) holdBack(n int, from event.Time) {
	if p.kept == 0 || from < p.hold {
		p.hold = from
	}
	p.kept += n
}

// letGo undoes holdBack for n events that are in Kafka, or not in the spool after all.
func (p *partition) letGo(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept -= n
}

// keep puts the events of a request that Kafka has not taken into the spool. The memory for them is
// reserved anew: what the request had of it went to its batches, or back.
func (s *spooler) keep(inputs []protocol.Input, r *request) *protocol.Refusal {
	most := 0
	for i := range inputs {
		if n := r.of[i]; n == toSpool || r.batches[n].err != nil {
			most += inputs[i].MostBytes()
		}
	}
	if !r.memory.Reserve(most) {
		for i := range inputs {
			if r.of[i] == toSpool {
				s.c.partitions[r.partitions[i]].letGo(1)
			}
		}
		return protocol.NoMemory()
	}
	var entries []spool.Entry
	var encoder event.Encoder
	var room [protocol.MaxID + event.MaxRepeatPrefix]byte
	for i := range inputs {
		in, after := &inputs[i], spool.None
		p := s.c.partitions[r.partitions[i]]
		if n := r.of[i]; n != toSpool {
			if r.batches[n].err == nil {
				continue
			}
			after = r.batches[n].after
			p.mu.Lock()
			p.holdBack(1, in.Received)
			p.mu.Unlock()
		}
		e := s.entry(&entries, p.id, after)
		if e.N > 0 {
			e.Events = append(e.Events, ',')
		}
		if e.N == 0 || in.Received < e.From {
			e.From = in.Received
		}
		e.Events = s.c.appendEvent(e.Events, &encoder, in, room[:0])
		e.N++
	}
	err := s.log.Append(entries)
	if err == nil {
		for i := range entries {
			s.c.metrics.spooled.Add(float64(entries[i].N))
		}
		s.trouble.Store(nil)
		return nil
	}
	for i := range entries {
		s.c.partitions[entries[i].Partition].letGo(entries[i].N)
	}
	s.failed(err)
	return refuseSpool
}

// entry returns the last entry of a partition, a new one if there is none with room.
func (s *spooler) entry(entries *[]spool.Entry, partition int32, after int64) *spool.Entry {
	list := *entries
	for i := len(list) - 1; i >= 0; i-- {
		e := &list[i]
		if e.Partition == partition && e.After == after && e.N < s.c.opts.MaxRecordEvents && len(e.Events) < s.c.opts.MaxRecordBytes {
			return e
		}
	}
	*entries = append(list, spool.Entry{Partition: partition, After: after})
	return &(*entries)[len(list)]
}

// failed notes that the spool can't be written, and logs it once until it can.
func (s *spooler) failed(err error) {
	s.c.metrics.spoolErrs.Inc()
	if s.trouble.Swap(&err) == nil {
		s.c.opts.Log.Error("the spool takes no events: those of clients that never send again are lost", "err", err)
	}
}

// health returns why the spool takes nothing, nil if it does.
func (s *spooler) health() error {
	if p := s.trouble.Load(); p != nil {
		return *p
	}
	return nil
}

// close waits for the requests that are on their way to the spool.
func (s *spooler) close() error {
	if s == nil {
		return nil
	}
	for end := time.Now().Add(s.c.opts.AckTimeout); s.waiting.Load() > 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	return s.log.Close()
}

func (s *spooler) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run drains the spool until the collector closes.
func (s *spooler) run() {
	ctx := s.c.life
	t := time.NewTicker(s.c.opts.TickEvery)
	defer t.Stop()
	d := drainer{spooler: s}
	for ctx.Err() == nil {
		if more := d.drain(ctx); more {
			continue
		}
		select {
		case <-t.C:
		case <-s.wake:
		case <-ctx.Done():
		}
	}
}

// SpoolStats returns what the spool holds; nothing without one.
func (c *Collector) SpoolStats() spool.Stats {
	if c.spooler == nil {
		return spool.Stats{}
	}
	return c.spooler.log.Stats()
}

// Note returns what an operator should know of a collector that is healthy, "" for nothing.
func (c *Collector) Note() string {
	st := c.SpoolStats()
	quiet := c.health.quiet()
	if c.spooler == nil || st.Events == 0 && quiet < silence {
		return ""
	}
	what := "drains its spool"
	if quiet >= silence {
		what = fmt.Sprintf("Kafka has acknowledged no record for %v; its spool", quiet.Round(time.Second))
	} else if c.spooler.away.Load() > 0 {
		what = "Kafka does not take its records; its spool"
	}
	what = fmt.Sprintf("%s of %d events, %d of %d bytes", what, st.Events, st.Bytes, c.spooler.max)
	if st.Events > 0 {
		what += ", the oldest of " + st.Oldest.Std().Format(time.RFC3339)
	}
	return what
}
