package sim

import (
	"bytes"
	"errors"
	"fmt"

	"millrace/engine"
	"millrace/engine/delta"
	"millrace/engine/derivetest"
	"millrace/engine/event"
	"millrace/internal/kafka"
	"millrace/state"
)

// node is one owner of the partition: a process with its store, and what it has sent and not heard
// of.
type node struct {
	sim        *Sim
	disk       int
	generation int
	store      *state.Store
	part       *engine.Partition
	prefix     *kafka.Prefix
	maxDone    int64 // what goka and Sarama would commit (J4 taken out)
	next       int64 // offset of the next record to read
	failed     bool  // a produce failed for good: the processor is about to stop, but may read on a little
	blind      int   // records read since it failed or lost the partition: it notices within a session's time-out
	stopped    bool  // SIGSTOP: it does nothing until it wakes
	refused    bool  // its disk has refused a write, and it knows

	// What is on its way to the broker, in order, by topic: a producer keeps each topic's order.
	deltas, windows []*produce
	acks            []func() // acknowledgements on their way back
	open            map[int64]int
}

// produce is a record on its way.
type produce struct {
	offset int64 // of the input record
	key    string
	value  []byte
}

// start opens a node on a disk, as often as it takes for the disk to let it, and lets it recover.
func (s *Sim) start(disk int) error {
	for {
		s.world.owner++
		st, err := s.open(disk)
		if err == nil {
			if err = s.recover(disk, st); refused(err) {
				s.DiskErrors.Recovery++
			}
		} else if refused(err) {
			s.DiskErrors.Open++
		}
		if !refused(err) {
			return err
		}
		s.mayLosePower(disk)
	}
}

// open opens a store on a disk with the bounds of the run's variant. Its memtable is small, so
// that a short log is flushed and compacted.
func (s *Sim) open(disk int) (*state.Store, error) {
	v := &s.variant
	return state.Open(state.Options{
		Dir: "state", FS: s.mount(disk), MemTableBytes: 256 << 10, Limit: v.limit, FoldFrom: v.foldFrom, Life: v.life(),
		Visits: v.rules.Visits(), Without: s.opts.Without,
	})
}

// recover makes a node of an open store, as goka does: from the changelog, from the store's
// position up to where it ends now. It closes the store on an error.
func (s *Sim) recover(disk int, st *state.Store) error {
	w, v := &s.world, &s.variant
	n := &node{sim: s, disk: disk, generation: w.owner, store: st, prefix: kafka.NewPrefix(w.committed), next: w.committed, maxDone: w.committed, open: map[int64]int{}}
	for pos := max(int(st.Position()), w.expired); pos < len(w.changelog); pos++ {
		if err := st.Recover(int64(pos), w.changelog[pos]); err != nil {
			return errors.Join(err, st.Close())
		}
	}
	st.Committed(w.committed)
	var es engine.Store = st
	if s.opts.Without&state.J1 != 0 {
		es = forgetful{st}
	}
	var err error
	n.part, err = engine.OpenPartition(0, v.partitions, es, v.rules, derivetest.Deriver{})
	if err != nil {
		return errors.Join(err, st.Close())
	}
	n.part.Bound(v.bounds)
	if err := n.part.CheckCommitted(w.committed); err != nil && s.opts.Without == 0 && s.opts.WithoutOutside == 0 {
		return errors.Join(err, st.Close())
	}
	s.nodes = append(s.nodes, n)
	return nil
}

// forgetful is a store that does not know what it has applied (J1 taken out).
type forgetful struct{ *state.Store }

// Last makes every delta look new.
func (forgetful) Last() int64 { return delta.None }

// owns reports whether the group takes the node's commits.
func (n *node) owns() bool { return n.generation == n.sim.world.owner }

// read processes the next record of the log.
func (n *node) read() error {
	w := &n.sim.world
	if n.next >= int64(w.head) {
		return nil
	}
	if n.failed || !n.owns() {
		if n.blind++; n.blind > 12 {
			return nil
		}
	}
	offset := n.next
	n.next++
	n.prefix.Deliver(offset)
	n.open[offset] = 1 // held by the callback itself, so that an ack can't finish the record early
	err := n.part.Process(offset, w.log[offset].value, &output{n, offset})
	n.done(offset)
	return err
}

// output collects what a record emits.
type output struct {
	n      *node
	offset int64
}

// Delta also checks that a record has one delta, whoever writes it.
func (o *output) Delta(b []byte) error {
	s := o.n.sim
	if first, ok := s.Deltas[o.offset]; !ok {
		s.Deltas[o.offset] = b
	} else if !bytes.Equal(first, b) && s.opts.Without == 0 && s.opts.WithoutOutside == 0 {
		return fmt.Errorf("record %d has two deltas:\n%s\n%s", o.offset, describe(first), describe(b))
	}
	if err := o.n.store.Apply(b); err != nil {
		return err
	}
	o.n.open[o.offset]++
	o.n.deltas = append(o.n.deltas, &produce{offset: o.offset, value: b})
	return nil
}

// Window implements engine.Output. A record is not finished before its windows are written (J7).
func (o *output) Window(key string, value []byte) error {
	if key != event.Key(0) { // progress has no part in the numbers
		if o.n.sim.opts.WithoutOutside&J7 == 0 {
			o.n.open[o.offset]++
		}
		o.n.windows = append(o.n.windows, &produce{offset: o.offset, key: key, value: value})
	}
	return nil
}

// Dead implements engine.Output. Letters are written by package deadletter, and are no part of
// the numbers.
func (o *output) Dead(error) error { return nil }

// done counts one promise of a record as kept.
func (n *node) done(offset int64) {
	n.open[offset]--
	if n.open[offset] > 0 {
		return
	}
	delete(n.open, offset)
	n.prefix.Finish(offset)
	n.maxDone = max(n.maxDone, offset+1)
}

// deliver lets the first of a queue reach the broker, or fail for good.
func (n *node) deliver(queue *[]*produce, outcome int) error {
	if len(*queue) == 0 {
		return nil
	}
	p := (*queue)[0]
	*queue = (*queue)[1:]
	w := &n.sim.world
	if outcome == produceFails {
		n.failed = true
		return nil
	}
	times := 1
	if outcome == produceTwice {
		times = 2
	}
	for range times {
		if queue == &n.windows {
			if err := w.sink.write(p.key, p.value); err != nil {
				return err
			}
			continue
		}
		w.changelog = append(w.changelog, p.value)
	}
	position, isDelta := int64(len(w.changelog)-times), queue == &n.deltas
	n.acks = append(n.acks, func() {
		if isDelta {
			h, err := delta.DecodeHead(p.value)
			if err != nil {
				panic(fmt.Sprintf("BUG: own delta does not decode: %v", err))
			}
			n.store.Acked(h.Offset, position)
		}
		if isDelta || n.sim.opts.WithoutOutside&J7 == 0 {
			n.done(p.offset)
		}
	})
	return nil
}

// ack lets the oldest acknowledgement arrive.
func (n *node) ack() {
	if len(n.acks) == 0 {
		return
	}
	n.acks[0]()
	n.acks = n.acks[1:]
}

// commit sends the finished prefix; the node may never hear that it was taken.
func (n *node) commit(heard bool) {
	w := &n.sim.world
	if !n.owns() {
		return
	}
	next := n.prefix.Position()
	if n.sim.opts.WithoutOutside&J4 != 0 {
		next = n.maxDone
	}
	if next <= w.committed {
		return
	}
	w.committed = next
	if heard {
		n.store.Committed(next)
	}
}

// finish works off the log until all is acknowledged and committed.
func (n *node) finish() error {
	for n.next < int64(len(n.sim.world.log)) || len(n.deltas)+len(n.windows)+len(n.acks) > 0 {
		if err := n.read(); err != nil {
			return err
		}
		if err := n.deliver(&n.deltas, produceOnce); err != nil {
			return err
		}
		for len(n.windows) > 0 {
			if err := n.deliver(&n.windows, produceOnce); err != nil {
				return err
			}
		}
		n.ack()
		n.commit(true)
	}
	return nil
}

// crash ends the node. Of what is on its way, a random part still reaches the broker, in order.
func (n *node) crash(kill bool) error {
	s := n.sim
	for _, q := range []*[]*produce{&n.deltas, &n.windows} {
		for len(*q) > 0 && s.rng.IntN(3) > 0 {
			if err := n.deliver(q, produceOnce); err != nil {
				return err
			}
		}
	}
	if kill {
		s.losePower(n.disk)
	}
	s.drop(n)
	err := n.store.Close()
	if !refused(err) {
		return err
	}
	if !kill && !n.refused {
		s.DiskErrors.Close++
		s.mayLosePower(n.disk)
	}
	return nil
}

const (
	produceOnce = iota
	produceTwice
	produceFails
)

// headOf returns the offset of the record that a delta is of.
func headOf(b []byte) (int64, error) {
	h, err := delta.DecodeHead(b)
	return h.Offset, err
}

// describe renders a delta for an error.
func describe(b []byte) string {
	var d delta.Delta
	if err := d.Decode(b); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%+v", d)
}
