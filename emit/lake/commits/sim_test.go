package commits

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
)

var simSeeds = flag.Uint64("seeds", 8, "runs of the simulation of chains")

var (
	simFirst = flag.Uint64("seed", 0, "the first of the simulation of chains")
	simTrace = flag.Bool("show", false, "print what the simulation of chains does")
)

// rules are those that a run keeps to.
type rules struct{ noL1, noL2, noL3, noL4, noL5, noL6, noL7 bool }

// simGrace is how long removed files stay, in seconds, which are requests; simRead the longest read.
const (
	simGrace = 400
	simRead  = 350
)

// play is one run: owners of a partition, some of which outlive their successors, queries, and what goes wrong.
type play struct {
	*sim
	without   rules
	committed int64 // the consumer offset: before it the log of events is not read again
	newest    int64 // version that a query has read
	wrong     string
	reads     int // queries that have read all they wanted
	counted   int
	epochs    int64
	last      error
	chains    map[*actor]*Chain
}

func (p *play) fail(format string, args ...any) {
	if p.wrong == "" {
		p.wrong = fmt.Sprintf("at %d: ", p.now) + fmt.Sprintf(format, args...)
	}
}

// body is what a file of the records from first up to next holds.
func body(first, next int64) []byte { return fmt.Appendf(nil, "%d-%d", first, next) }

// owner is a session of a partition's owner: it writes what comes, merges, deletes, and now and then drops all and begins again.
func (p *play) owner(a *actor) {
	ctx := context.Background()
	sweeper := NewSweeper(SweepOptions{Grace: simGrace * time.Second, Now: p.clock, lax: p.without.noL5})
	if p.without.noL6 {
		sweeper.o.Grace = time.Nanosecond
	}
	o := Options{Topic: event.Topic, Partition: 3, Log: simLog{a}, Store: simStore{a}, Now: p.clock, Writer: fmt.Sprint(p.now), FoldEvery: 4,
		Lax: p.without.noL1, reuse: p.without.noL4, Wait: func(context.Context, int) error { a.request(); return nil }}
	for {
		c, err := Open(ctx, o)
		if err != nil {
			p.checkError("open", err)
			continue
		}
		p.chains[a] = c
		p.epochs = max(p.epochs, c.state.Epoch)
		for err == nil {
			if err = p.commit(ctx, a, c, sweeper); err != nil && p.rng.IntN(2) == 0 {
				p.checkError("commit", err)
				err = c.Refresh(ctx)
			}
		}
		p.checkError("commit", err)
	}
}

// checkError fails the run for errors that are not of requests that failed.
func (p *play) checkError(what string, err error) {
	p.last = err
	if p.without.noL4 && errors.Is(err, ErrChange) {
		return // it is in the state's way, and no harm yet
	}
	if !errors.Is(err, errFault) && !errors.Is(err, ErrLog) && !errors.Is(err, ErrTrimmed) {
		p.fail("%s: %v", what, err)
	}
}

// commit makes one change of what the chain has, and commits it.
func (p *play) commit(ctx context.Context, a *actor, c *Chain, sweeper *Sweeper) (err error) {
	s := c.State()
	change := s.Change()
	var puts []*File
	add := func(l Level, first, next int64, inputs ...string) {
		base := s.Base()
		if p.without.noL4 {
			base = Base{1, none}
		}
		f := File{Table: Hits, Key: FileName(event.Topic, 3, base, Hits, 0, l, first, next, 0, inputs...), Level: l, Size: 1, Rows: 1, First: first, Next: next}
		puts = append(puts, &f)
		change.Add = append(change.Add, f)
	}
	every := 12
	if p.without.noL4 {
		every = 4 // that is where names come again
	}
	if p.rng.IntN(every) == 0 { // drop all, and make it again
		change.Anew = true
		for first := int64(0); first < s.Next; first += 5 {
			add(Daily, first, min(first+5, s.Next))
		}
	} else if live := s.Files(Hits); len(live) > 2 && p.rng.IntN(3) == 0 {
		if first, next, keys := adjacent(live, p.rng.IntN(len(live))); len(keys) > 1 {
			add(Hourly, first, next, keys...)
			change.Remove = keys
		}
	}
	n := int64(1 + p.rng.IntN(3))
	add(Segment, change.Next, change.Next+n)
	change.Next += n
	if p.rng.IntN(3) == 0 {
		if change.Deleted, err = sweeper.Sweep(ctx, c); err != nil {
			return err
		}
	}
	if p.rng.IntN(8) == 0 && !p.without.noL4 {
		if _, err := sweeper.Orphans(ctx, c); err != nil {
			return err
		}
	}
	put := func() error {
		for _, f := range puts {
			if err := c.o.Store.Put(ctx, f.Key, body(f.First, f.Next)); err != nil {
				return err
			}
		}
		return nil
	}
	if !p.without.noL2 {
		if err := put(); err != nil {
			return err
		}
	}
	counted, err := c.Commit(ctx, change)
	if err == nil && p.without.noL2 {
		err = put()
	}
	if err != nil {
		return err
	}
	if counted || p.without.noL3 {
		p.counted++
		p.committed = max(p.committed, change.Next)
	}
	return nil
}

// adjacent returns files that follow one another in the log, from one of them on.
func adjacent(live []*File, from int) (first, next int64, keys []string) {
	first, next = live[from].First, live[from].First
	for again := true; again && len(keys) < 4; {
		again = false
		for _, f := range live {
			if f.First == next {
				next, again = f.Next, true
				keys = append(keys, f.Key)
				break
			}
		}
	}
	return first, next, keys
}

// query reads snapshots, each file of them, and whether they are whole.
func (p *play) query(a *actor) {
	ctx := context.Background()
	r := NewReader(ReaderOptions{Store: simStore{a}, Topic: event.Topic, Partitions: 4, Now: p.clock, reuse: p.without.noL4})
	for {
		began := p.newest
		taken := p.clock()
		s, err := r.partition(ctx, 3, taken) // as Snapshot does, which would ask for all at a time
		if err != nil {
			p.checkError("query", err)
			continue
		}
		r.last = &Snapshot{Taken: taken, Partitions: []*State{nil, nil, nil, s}}
		if s.Version < began {
			p.fail("a query has version %d, and one that had ended before had %d", s.Version, began)
		}
		p.newest = max(p.newest, s.Version)
		files := s.Files(Hits)
		if p.without.noL7 {
			files = p.listed()
		}
		if !p.read(ctx, a, r.last, s.Next, files) {
			continue
		}
		p.reads++
	}
}

// listed is what rule L7 forbids: the files that are there.
func (p *play) listed() (files []*File) {
	for key, b := range p.objects {
		if _, ok := BaseOf(key); ok && strings.HasSuffix(key, ".parquet") {
			f := &File{Key: key}
			if _, err := fmt.Sscanf(string(b), "%d-%d", &f.First, &f.Next); err == nil {
				files = append(files, f)
			}
		}
	}
	return files
}

func (p *play) read(ctx context.Context, a *actor, snapshot *Snapshot, next int64, files []*File) bool {
	has := make([]int, next)
	for _, f := range files {
		for {
			b, err := simStore{a}.Get(ctx, f.Key)
			if p.clock().Sub(snapshot.Taken) > simRead*time.Second {
				return false
			}
			if errors.Is(err, errFault) {
				continue
			}
			if err != nil || string(b) != string(body(f.First, f.Next)) {
				p.fail("file %q holds %q, want %q: %v", f.Key, b, body(f.First, f.Next), err)
				return false
			}
			break
		}
		for o := f.First; o < min(f.Next, next); o++ {
			has[o]++
		}
	}
	for o, n := range has {
		if n != 1 {
			p.fail("record %d is in %d files of version %d", o, n, snapshot.Partitions[3].Version)
			return false
		}
	}
	return true
}

// offsets checks rule L3's purpose: what the consumer offset has passed is in what is published.
func (p *play) offsets() {
	quiet := *p.sim
	quiet.faults, quiet.actors = false, nil
	now := make(chan *State, 1)
	quiet.spawn("check", 1<<40, func(a *actor) {
		at := place{simStore{a}, event.Topic, 3, p.without.noL4}
		s, err := at.load(context.Background())
		if err != nil {
			p.fail("load: %v", err)
			return
		}
		now <- s.State
	})
	for len(now) == 0 && p.wrong == "" {
		if quiet.actors[0].done {
			break
		}
		quiet.actors[0].run(true)
	}
	if p.wrong != "" {
		return
	}
	s := <-now
	if s.Next < p.committed {
		p.fail("records up to %d are taken for written, and version %d has those up to %d", p.committed, s.Version, s.Next)
	}
}

// runPlay plays a seed and returns what was wrong, "" for nothing.
func runPlay(seed uint64, without rules) *play {
	p := &play{sim: newSim(seed), without: without, newest: none, chains: map[*actor]*Chain{}}
	if *simTrace {
		p.trace = func(format string, args ...any) { fmt.Printf("%d "+format+"\n", append([]any{p.now}, args...)...) }
	}
	defer p.kill()
	for p.now < 4000 && p.wrong == "" {
		owners, queries := 0, 0
		for _, a := range p.actors {
			if a.what == "owner" {
				owners++
			} else {
				queries++
			}
		}
		if owners == 0 || owners < 3 && p.rng.IntN(200) == 0 {
			p.spawn("owner", 100+int64(p.rng.IntN(1500)), p.owner)
		}
		if queries < 2 {
			p.spawn("query", 100+int64(p.rng.IntN(1000)), p.query)
		}
		switch p.rng.IntN(6000) {
		case 0:
			p.loseTopic()
		case 1: // all is deleted by hand, when nothing runs
			p.kill()
			p.late = nil
			p.objects = map[string][]byte{}
			p.committed, p.newest = 0, none
		}
		p.step()
		if p.now%500 == 0 {
			p.offsets()
		}
	}
	if p.wrong == "" {
		p.settle()
	}
	return p
}

// loseTopic makes the topic anew, while all go on: but for those that have a commit which was not published, and for puts that are
// under way (see the package comment).
func (p *play) loseTopic() {
	p.records, p.start, p.late = nil, 0, nil
	for _, a := range p.actors {
		if c := p.chains[a]; !a.done && c != nil && len(c.pending) > 0 {
			a.run(false)
		}
	}
	if p.trace != nil {
		p.trace("the topic is lost")
	}
}

// settle ends all faults: then an owner goes on, a query reads all, and what nobody needs goes.
func (p *play) settle() {
	p.kill()
	for _, op := range p.late {
		op.do()
	}
	p.late, p.faults = nil, false
	p.spawn("owner", 1<<40, p.owner)
	p.spawn("query", 1<<40, p.query)
	reads, counted := p.reads, p.counted
	for i := 0; i < 3000 && p.wrong == "" && (p.reads < reads+2 || p.counted < counted+3); i++ {
		p.step()
	}
	if p.wrong == "" && (p.reads < reads+2 || p.counted < counted+3) {
		p.fail("without faults %d reads and %d commits in 3000 requests; the last error was %v", p.reads-reads, p.counted-counted, p.last)
	}
	p.offsets()
}

// TestSim: whoever dies, sleeps, outlives its successor, gets no answer or is done late or twice, no query sees a record twice or
// not at all, and nothing that is taken for written is missing.
func TestSim(t *testing.T) {
	t.Parallel()
	reads, counted, epochs := 0, 0, int64(0)
	if testing.Short() {
		*simSeeds = min(*simSeeds, 5)
	}
	for seed := *simFirst; seed < *simFirst+*simSeeds; seed++ {
		p := runPlay(seed, rules{})
		if p.wrong != "" {
			t.Fatalf("seed %d: %s", seed, p.wrong)
		}
		reads, counted, epochs = reads+p.reads, counted+p.counted, max(epochs, p.epochs)
	}
	t.Logf("%d seeds: %d commits counted, %d queries have read all, up to %d epochs", *simSeeds, counted, reads, epochs)
	if *simSeeds >= 25 && (counted < int(*simSeeds)*10 || reads < int(*simSeeds)*5 || epochs < 2) {
		t.Error("the simulation does too little")
	}
}

// TestSimWithout: with a rule taken out the simulation finds that something is wrong.
func TestSimWithout(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes long")
	}
	f := func(name string, without rules) {
		t.Helper()
		wrong, runs, what := 0, 0, ""
		for ; runs < max(60, int(*simSeeds)) && (wrong == 0 || *simSeeds > 40); runs++ {
			if p := runPlay(uint64(runs), without); p.wrong != "" {
				wrong++
				what = p.wrong
			}
		}
		t.Logf("without %s %d of %d runs are wrong; %s", name, wrong, runs, what)
		if wrong == 0 {
			t.Errorf("without %s nothing is wrong", name)
		}
	}
	f("L1", rules{noL1: true})
	f("L2", rules{noL2: true})
	f("L3", rules{noL3: true})
	f("L4", rules{noL4: true})
	f("L5", rules{noL5: true})
	f("L6", rules{noL6: true})
	f("L7", rules{noL7: true})
}
