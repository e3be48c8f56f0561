package sim

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sort"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/bench/verify/oracle"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/state"
)

// Options are the settings of one run.
type Options struct {
	// Seed makes the log and the schedule.
	Seed uint64
	// Records is the length of the log, 20 s of log time each. Default what RecordsOf says of the
	// seed.
	Records int
	// Calm turns all faults off: the run that others are compared with.
	Calm bool
	// BadDisk lets disks refuse writes: one of a store's life, or all from one on. An owner so
	// ended is started again.
	BadDisk bool
	// Without and WithoutOutside take rules out.
	Without        state.Rule
	WithoutOutside Rule
}

// Result is what a run came to.
type Result struct {
	// Wrong has a line for each value that differs from the recount.
	Wrong []string
	// Lines holds the last line protocol of each window, sorted.
	Lines map[string]string
	// Deltas holds the delta of each record.
	Deltas map[int64][]byte
	// Windows is the number of windows checked; the others count what was done to them.
	Windows, Crashes, Wipes, Takeovers, Failed, Repeated, Expired int
	// DiskErrors are those of BadDisk.
	DiskErrors DiskErrors
}

// Sim is a run in progress.
type Sim struct {
	opts    Options
	variant variant
	rng     *rand.Rand
	world   world
	disks   [2]*vfs.MemFS
	// settling says that the schedule is over: who is started now has a good disk.
	settling bool
	nodes    []*node // the last one is the owner, the others are zombies
	Result
}

// Run makes one run. An error is a fault of the code under test or of the simulator, beside wrong
// values.
func Run(o Options) (*Result, error) {
	if o.Records == 0 {
		o.Records = RecordsOf(o.Seed)
	}
	s, err := play(o)
	if err != nil {
		return nil, fmt.Errorf("seed %d: %w", o.Seed, err)
	}
	v := &s.variant
	if v.counted() {
		s.Wrong = compare(counted(s.world.log, v), s.world.sink.windows)
	}
	if !v.exact() && !o.Calm {
		o.Calm = true
		calm, err := play(o)
		if err != nil {
			return nil, fmt.Errorf("seed %d, calm: %w", o.Seed, err)
		}
		s.Wrong = append(s.Wrong, s.Unlike(&calm.Result)...)
	}
	return &s.Result, nil
}

// play makes a run and checks nothing.
func play(o Options) (*Sim, error) {
	rng := rand.New(rand.NewPCG(o.Seed, 0x6d696c6c))
	s := &Sim{opts: o, rng: rng, variant: newVariant(o.Seed), Result: Result{Deltas: map[int64][]byte{}}}
	if o.Without != 0 || o.WithoutOutside != 0 {
		s.variant = plain(o.Seed) // which needs fewest seeds to go wrong
	}
	if o.Calm {
		s.variant.bounds, s.variant.foldFrom = engine.Bounds{}, 0
	}
	s.world = world{rng: rng, log: newLog(rng, o.Records, &s.variant), sink: newSink(o.WithoutOutside&J10 == 0)}
	for i := range s.disks {
		s.disks[i] = vfs.NewCrashableMem()
	}
	err := s.run()
	for len(s.nodes) > 0 {
		n := s.nodes[0]
		s.drop(n)
		n.store.Close()
	}
	s.Lines, s.Windows = s.world.sink.lines(), len(s.world.sink.windows)
	return s, err
}

// Unlike returns a line for each window and each delta that is not, byte for byte, what it is in
// another run of the seed.
func (r *Result) Unlike(calm *Result) []string {
	var wrong []string
	for key := range r.Lines {
		if got, want := r.Lines[key], calm.Lines[key]; got != want {
			wrong = append(wrong, fmt.Sprintf("%s is\n%sin the calm run\n%s", key, got, want))
		}
	}
	for key := range calm.Lines {
		if _, ok := r.Lines[key]; !ok {
			wrong = append(wrong, key+": missing")
		}
	}
	for offset := range calm.Deltas {
		if got, want := r.Deltas[offset], calm.Deltas[offset]; !bytes.Equal(got, want) {
			wrong = append(wrong, fmt.Sprintf("delta of record %d is\n%s\nin the calm run\n%s", offset, describe(got), describe(want)))
		}
	}
	sort.Strings(wrong)
	return wrong
}

// RecordsOf returns the length of a seed's log: one in twenty is long enough for the changelog to
// expire.
func RecordsOf(seed uint64) int {
	if seed%20 == 0 {
		return 800
	}
	return shortLog
}

// shortLog is the length in records of a log in which nothing of the changelog expires.
const shortLog = 80

// run plays the schedule until the log is committed, or for as many steps as that should never
// take, and then settles.
func (s *Sim) run() error {
	if err := s.start(0); err != nil {
		return err
	}
	if !s.opts.Calm {
		body := len(s.world.log) - tail
		for i := 0; i < 40*body && s.world.committed < int64(body); i++ {
			if err := s.step(); err != nil {
				return err
			}
		}
	}
	return s.settle()
}

// tail is the number of ticks at the end of a log, kept for settle.
const tail = 100

// step lets one of the nodes do a random thing.
func (s *Sim) step() error {
	n := s.nodes[s.rng.IntN(len(s.nodes))]
	if err := s.act(n); !refused(err) {
		return err
	}
	return s.replace(n)
}

// act lets a node do one thing. The shares are chosen so that some records are always on their
// way, and that a short log sees a few restarts.
func (s *Sim) act(n *node) error {
	w := &s.world
	if n.stopped = n.stopped && s.rng.IntN(40) > 0; n.stopped {
		return nil
	}
	switch k := s.rng.IntN(1000); {
	case k < 70:
		w.head = min(w.head+1+s.rng.IntN(3), len(w.log)-tail)
	case k < 370:
		return n.read()
	case k < 580:
		return n.deliver(&n.deltas, s.outcome())
	case k < 730:
		return n.deliver(&n.windows, s.outcome())
	case k < 900:
		n.ack()
	case k < 950:
		n.commit(s.rng.IntN(4) > 0)
	case k < 975:
		s.expire()
	case k < 982:
		return s.restart()
	case k < 986:
		return s.takeover()
	case k < 990:
		if len(s.nodes) > 1 && !n.owns() {
			return n.crash(true)
		}
	default:
		return n.store.Sync()
	}
	if owner := s.nodes[len(s.nodes)-1]; owner.failed && s.rng.IntN(6) == 0 {
		return s.restart()
	}
	return nil
}

// outcome draws what becomes of a produce. Most arrive once: failures end an owner, and only few
// may if the log is to be worked off.
func (s *Sim) outcome() int {
	switch s.rng.IntN(150) {
	case 0:
		s.Failed++
		return produceFails
	case 1:
		s.Repeated++
		return produceTwice
	}
	return produceOnce
}

// restart ends the owner, by a crash mostly, and starts it again on the same disk, on an emptied
// one, or on the other one if no zombie has that open.
func (s *Sim) restart() error {
	owner := s.nodes[len(s.nodes)-1]
	if err := owner.crash(s.rng.IntN(4) > 0); err != nil {
		return err
	}
	disk := owner.disk
	if s.rng.IntN(4) == 0 {
		s.disks[disk] = vfs.NewCrashableMem()
		s.Wipes++
	} else if other := 1 - disk; s.rng.IntN(3) == 0 && !s.inUse(other) {
		disk = other
	}
	return s.start(disk)
}

// takeover starts a new owner on the other disk while the old one still runs and knows nothing, or
// is stopped and will wake some time later.
func (s *Sim) takeover() error {
	old := s.nodes[len(s.nodes)-1]
	disk := 1 - old.disk
	if s.inUse(disk) {
		return nil
	}
	s.Takeovers++
	old.stopped = s.rng.IntN(2) == 0
	return s.start(disk)
}

// inUse reports whether a node has the disk open: two processes cannot have one folder.
func (s *Sim) inUse(disk int) bool {
	for _, n := range s.nodes {
		if n.disk == disk {
			return true
		}
	}
	return false
}

// drop takes a node out of the nodes. What it had sent and not delivered is lost.
func (s *Sim) drop(n *node) {
	for i := range s.nodes {
		if s.nodes[i] == n {
			s.nodes = append(s.nodes[:i], s.nodes[i+1:]...)
			return
		}
	}
}

// life is how long a record matters: what the rules say, and what collectors lag.
func (v *variant) life() event.Time { return v.rules.Life() + 15*event.Second }

// expire removes the changelog's beginning: what no live window and no uncommitted record needs
// (J9), or half of it all if the rule is taken out.
func (s *Sim) expire() {
	w := &s.world
	if s.opts.WithoutOutside&J9 != 0 {
		w.expired += (len(w.changelog) - w.expired) / 2
		return
	}
	clock := oracle.NewClock(s.variant.rules.SilentAfter, logStart)
	born := make([]event.Time, 0, w.committed) // watermark when each record was written
	for i := range w.committed {
		born = append(born, clock.Watermark())
		if r := &w.log[i]; r.low != 0 { // else damaged, and nobody can read it
			clock.Observe(r.collector, r.low, len(r.events) == 0)
		}
	}
	for w.expired < len(w.changelog)-1 {
		h, err := headOf(w.changelog[w.expired])
		if err != nil || h >= w.committed || born[h]+3*s.variant.life() > clock.Watermark() {
			return
		}
		w.expired++
		s.Expired++
	}
}

// settle lets everything end: zombies die, the owner works off the log, and all is acknowledged and
// committed.
func (s *Sim) settle() error {
	s.settling = true
	for len(s.nodes) > 1 {
		if err := s.nodes[0].crash(true); err != nil {
			return err
		}
	}
	n := s.nodes[0]
	if n.failed {
		if err := n.crash(true); err != nil {
			return err
		}
		if err := s.start(n.disk); err != nil {
			return err
		}
	}
	s.world.head = len(s.world.log)
	err := s.nodes[0].finish()
	if !refused(err) {
		return err
	}
	if err := s.replace(s.nodes[0]); err != nil {
		return err
	}
	return s.nodes[0].finish()
}
