package lake

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"millrace/emit/lake/commits"
	"millrace/emit/lake/hitmerge"
	"millrace/engine/event"
)

var (
	simSeeds = flag.Uint64("seeds", 3, "runs of the simulation of archive and merging")
	simFirst = flag.Uint64("seed", 0, "the first of them")
	simTrace = flag.Bool("show", false, "print what the simulation does")
)

// without says what a run takes out: the rules of package commits, and more.
type without struct {
	l1, l2, l3, l4, l5, l6, l7 bool
	inputs                     bool // a merge is committed although some of what it merges is gone
}

const (
	simRecords = 150  // of a log
	simTicks   = 3000 // of a run, before all settles
	simGrace   = time.Hour
	simRead    = simGrace - time.Minute // the longest that a query reads
)

// lakePlay is a run: owners of a partition that archive and merge, some of which outlive their successors, and queries.
type lakePlay struct {
	*world
	without   without
	log       []record
	truth     *truth
	visible   int64 // so many records are in the topic of events
	committed int64 // consumer offset
	newest    int64 // version that a query has had
	reached   int64 // record up to which a query has had hits, of the archive that there is
	replaced  bool  // hits may have gone back since
	files     map[string]simFile
	last      error

	asked  *commits.Erasure // nil before
	erased bool             // a query has seen it

	reads   int
	total   HitStats
	dropped int
}

// simFile is a file that was read.
type simFile struct {
	sum  uint64
	rows []worldRow
}

var simPolicy = hitmerge.Policy{Segments: 3, Additions: 2, DayFiles: 2, Inputs: 8, Settle: event.Hour}

// options are those of an owner's archiver.
func (p *lakePlay) options(name string) Options {
	o := smallOptions(worldStore{p.world})
	o.FlushInterval = 10 * time.Minute
	o.now, o.keepErasures = p.clock, -1
	o.Begin = func(context.Context, int32) (int64, error) { return 0, p.ask() }
	o.End = func(context.Context, int32) (int64, error) { return p.visible, p.ask() }
	o.Hits = testHits(nil, nil)
	o.Hits.Commits = func(int32) commits.Log { return worldLog{p.world} }
	o.Hits.Records = func(_ context.Context, _ int32, from, to int64, f func(int64, []byte) error) error {
		for ; from < to; from++ {
			if from%16 == 0 {
				if err := p.ask(); err != nil {
					return err
				}
			}
			if err := f(from, p.log[from].value); err != nil {
				return err
			}
		}
		return nil
	}
	o.Hits.Merges = MergeOptions{Policy: simPolicy, Share: 1}
	o.chain = func(c *commits.Options) {
		c.FoldEvery, c.Writer, c.Lax = 6, name, p.without.l1
		c.Wait = func(ctx context.Context, _ int) error {
			p.request()
			return ctx.Err()
		}
	}
	return o
}

// owner begins a process that owns the partition, or thinks so.
func (p *lakePlay) owner(life int64) {
	proc := p.begin(fmt.Sprintf("owner %d", p.now), life)
	archiver, err := New(p.options(fmt.Sprint(p.now)))
	if err != nil {
		p.fail("%v", err)
		return
	}
	proc.Archiver = archiver
	proc.run(func(*actor) {
		defer func() { p.add(proc.HitStats()) }()
		for !proc.dead {
			p.session(proc)
		}
	})
	proc.run(func(a *actor) {
		m := &merging{a: archiver, o: archiver.o.Hits.Merges.withDefaults(), aside: map[mergeDay]time.Time{}}
		for p.request() {
			if !m.once(proc.ctx) {
				a.sleeps = p.now + 10
			}
		}
	})
	if p.without.l5 {
		proc.run(func(a *actor) { p.greedy(a) })
	}
}

// add adds what an owner has done to what all have.
func (p *lakePlay) add(s HitStats) {
	t := &p.total
	t.Commits, t.Passed, t.CaughtUp, t.Anew = t.Commits+s.Commits, t.Passed+s.Passed, t.CaughtUp+s.CaughtUp, t.Anew+s.Anew
	t.Merges, t.MergesOff, t.MergesFailed, t.Swept = t.Merges+s.Merges, t.MergesOff+s.MergesOff, t.MergesFailed+s.MergesFailed, t.Swept+s.Swept
	t.Hits, t.MergedFiles = t.Hits+s.Hits, t.MergedFiles+s.MergedFiles
}

// session reads the log from the consumer offset on, until it is over.
func (p *lakePlay) session(proc *process) {
	ctx, end := context.WithCancel(proc.ctx)
	defer end()
	part := proc.partition(0)
	for offset := p.committed; ; {
		if offset >= p.visible {
			if !p.request() {
				return
			}
			p.cur.sleeps = p.now + 20
			continue
		}
		err := part.consume(ctx, offset, p.log[offset].value)
		if proc.dead {
			return
		}
		if err != nil {
			p.checkError("archive", err)
			p.request()
			return
		}
		offset++
		limit := proc.Limit(testTopic, 0)
		if p.without.l3 {
			limit = offset
		}
		if limit > p.committed && p.rng.IntN(3) == 0 {
			p.committed += 1 + p.rng.Int64N(limit-p.committed)
		}
		if p.faults && p.rng.IntN(100) == 0 {
			return // a rebalance
		}
	}
}

// checkError fails the run for errors of which no request is the cause.
func (p *lakePlay) checkError(what string, err error) {
	p.last = err
	if !errors.Is(err, errFault) && !errors.Is(err, errDead) && !errors.Is(err, errRemoved) {
		p.fail("%s: %v", what, err)
	}
}

// greedy is what rule L5 forbids: it deletes what its state does not name.
func (p *lakePlay) greedy(a *actor) {
	for p.request() {
		a.sleeps = p.now + 200
		h := a.p.partition(0).hits
		if h == nil || h.state == nil {
			continue
		}
		s := h.state
		for info, err := range (worldStore{p.world}).List(a.p.ctx, "", "") {
			if _, named := commits.BaseOf(info.Key); err == nil && named && !s.Names(info.Key) {
				_ = worldStore{p.world}.Delete(a.p.ctx, info.Key)
			}
		}
	}
}

// spoil takes out of the processes what a run goes without.
func (p *lakePlay) spoil() {
	if !p.without.l6 && !p.without.inputs {
		return
	}
	for _, proc := range p.procs {
		if proc.Archiver == nil {
			continue
		}
		if h := proc.partition(0).hits; h != nil && h.state != nil && p.without.l6 {
			h.sweeper = commits.NewSweeper(commits.SweepOptions{Grace: 1, Now: func() time.Time { return p.clock().Add(time.Duration(p.now)) }})
			h.sweeper.Due(h.state)
		}
		if s := proc.HitsState(0); s != nil {
			o := proc.offersOf(0)
			for i := range o.list {
				o.list[i].Inputs = slices.DeleteFunc(slices.Clone(o.list[i].Inputs), func(key string) bool { return s.File(key) == nil })
			}
		}
	}
}

// query is a process that takes snapshots and reads each file of them, at its leisure.
func (p *lakePlay) query(life int64) {
	proc := p.begin(fmt.Sprintf("query %d", p.now), life)
	proc.run(func(a *actor) {
		r := commits.NewReader(commits.ReaderOptions{Store: worldStore{p.world}, Topic: testTopic, Partitions: 1, Now: p.clock, MaxAge: 1})
		for !proc.dead {
			began, reached := p.newest, p.reached
			snapshot, err := r.Snapshot(proc.ctx)
			if proc.dead {
				return
			}
			if err != nil {
				p.checkError("query", err)
				p.request()
				continue
			}
			s := snapshot.Partitions[0]
			if s.Version < began {
				p.fail("a query has version %d, and one that had ended before had %d", s.Version, began) // I6
			}
			if s.Next < reached && !p.replaced && !p.anew() {
				p.fail("version %d has hits up to record %d, and another had them up to %d", s.Version, s.Next, reached) // I9
			}
			p.newest, p.reached = max(p.newest, s.Version), max(p.reached, s.Next)
			if p.read(a, snapshot.Taken, s) {
				p.reads++
			}
			a.sleeps = p.now + 100
		}
	})
}

// anew reports whether an owner has begun hits anew.
func (p *lakePlay) anew() bool {
	return slices.ContainsFunc(p.procs, func(proc *process) bool { return proc.Archiver != nil && proc.HitStats().Anew > 0 })
}

// read reads the files of a state, and checks that they are there for the time of a query (I7), are those that were put, and have each
// row once (I1), of hits and visits (I4).
func (p *lakePlay) read(a *actor, taken time.Time, s *commits.State) bool {
	over := func() bool { return p.clock().Sub(taken) > simRead }
	var erased *commits.Erasure
	if p.asked != nil {
		erased = s.Erased(p.asked.Site, p.asked.Visitor)
	}
	if erased == nil && p.erased && s.NumFiles() > 0 {
		p.fail("version %d: who was erased is back", s.Version) // I8
	}
	p.erased = p.erased || erased != nil
	for _, t := range commits.Tables() {
		var list [][]worldRow
		files := s.Files(t)
		if p.without.l7 {
			files = p.listed(t)
		}
		for _, f := range files {
			if p.faults && p.rng.IntN(20) == 0 {
				a.sleeps = p.now + int64(p.rng.IntN(int(simGrace/tickTime)))
			}
			var body []byte
			for {
				var err error
				body, err = worldStore{p.world}.Get(a.p.ctx, f.Key)
				if a.p.dead || over() {
					return false
				}
				if errors.Is(err, errFault) {
					continue
				}
				if err != nil {
					p.fail("version %d, %v after it was taken: %v", s.Version, p.clock().Sub(taken), err)
					return false
				}
				break
			}
			rows, err := p.rowsOf(t, f, body)
			if err != nil {
				p.fail("version %d: %s: %v", s.Version, f.Key, err)
				return false
			}
			list = append(list, rows)
		}
		if bad := p.truth.check(t, s.Next, erased, list); s.Next > 0 && bad != "" {
			p.fail("version %d, %v: %s", s.Version, t, bad)
			return false
		}
	}
	return true
}

// listed is what rule L7 forbids: the files that are there.
func (p *lakePlay) listed(t commits.Table) (files []*commits.File) {
	for key, body := range p.objects {
		if strings.HasPrefix(key, commits.Dir(t, testTopic, 0)+"dt=") {
			files = append(files, &commits.File{Table: t, Key: key, Size: int64(len(body)), Rows: -1})
		}
	}
	slices.SortFunc(files, func(x, y *commits.File) int { return cmp.Compare(x.Key, y.Key) })
	return files
}

func (p *lakePlay) rowsOf(t commits.Table, f *commits.File, body []byte) ([]worldRow, error) {
	sum := xxhash.Sum64(body)
	if was, ok := p.files[f.Key]; ok && was.sum == sum {
		return was.rows, nil
	}
	if int64(len(body)) != f.Size {
		return nil, fmt.Errorf("it has %d bytes, and the commits say %d", len(body), f.Size)
	}
	rows, err := worldRows(t, body)
	if err == nil && f.Rows >= 0 && int64(len(rows)) != f.Rows {
		err = fmt.Errorf("it has %d rows, and the commits say %d", len(rows), f.Rows)
	}
	p.files[f.Key] = simFile{sum, rows}
	return rows, err
}

// disaster is what happens seldom.
func (p *lakePlay) disaster() {
	switch n := p.rng.IntN(9000); {
	case n == 0 && !p.without.l4: // hits are deleted by hand, when nothing runs: they are made again
		p.stopAll()
		for key := range p.objects {
			if strings.HasPrefix(key, "hits/") || strings.HasPrefix(key, "visits/") {
				delete(p.objects, key)
			}
		}
		p.gone("hits are deleted")
	case n == 1 && !p.without.l4: // and all else
		p.stopAll()
		p.objects = map[string][]byte{}
		if p.gone("all is deleted"); p.asked != nil {
			p.erase() // as its operator does, who has the list
		}
	case n == 2 && !p.without.l4:
		p.stopAll()
		p.records, p.start = nil, 0
		p.replaced = true
		p.say("the topic of commits is lost")
	case n < 5 || n < 20 && p.without.l4: // a checkpoint is damaged: hits are made anew, and others do not know
		for key := range p.objects {
			if strings.Contains(key, "/_ledger/") {
				p.objects[key] = []byte("damaged")
			}
		}
		p.dropped++
		p.replaced = true
		p.say("checkpoints are damaged")
	}
}

func (p *lakePlay) stopAll() {
	p.killAll()
	p.late = nil
}

func (p *lakePlay) gone(what string) {
	p.dropped++
	p.committed, p.newest, p.reached, p.replaced = min(p.committed, p.published()), -1, 0, true
	clear(p.bodies)
	p.say("%s", what)
}

// published returns up to where the published state has hits.
func (p *lakePlay) published() int64 {
	r := commits.NewReader(commits.ReaderOptions{Store: worldStore{p.world}, Topic: testTopic, Partitions: 1, Now: p.clock})
	was := p.cur
	p.cur = nil
	defer func() { p.cur = was }()
	s, err := r.Snapshot(context.Background())
	if err != nil {
		p.fail("what is published: %v", err)
		return 0
	}
	return s.Partitions[0].Next
}

// offsets checks rule L3's purpose: what the consumer offset has passed has hits. Those who have begun anew make them again.
func (p *lakePlay) offsets() {
	if next := p.published(); next < p.committed && !p.replaced && !p.anew() {
		p.fail("records up to %d are taken for archived, and there are hits up to %d", p.committed, next)
	}
}

// erase has a visitor erased: of what was received up to some record, a few behind the last or before.
func (p *lakePlay) erase() {
	if p.asked == nil {
		before := t0
		for _, r := range p.log[:max(1, min(simRecords, p.visible-5+p.rng.Int64N(10)))] {
			for _, e := range r.events {
				before = max(before, e.Received)
			}
		}
		p.asked = &commits.Erasure{Site: "a.example", Visitor: event.Visitor(1 + p.rng.IntN(6)), Before: before}
	}
	was := p.cur
	p.cur = nil
	defer func() { p.cur = was }()
	if err := PutErasure(context.Background(), worldStore{p.world}, *p.asked); err != nil {
		p.fail("erase: %v", err)
	}
	p.say("%s is erased before %s", p.asked.Visitor, p.asked.Before)
}

// playLake plays a seed.
func playLake(tb testing.TB, seed uint64, out without) *lakePlay {
	tb.Helper()
	p := &lakePlay{world: newWorld(seed), without: out, newest: -1, files: map[string]simFile{}}
	p.trace, p.early, p.noBase = *simTrace, out.l2, out.l4
	p.log = worldRecords(p.rng, simRecords)
	p.truth = must(truthOf(p.log))
	for p.now < simTicks && p.wrong == "" {
		p.visible = min(simRecords, 5+p.now*simRecords/(simTicks*3/4))
		owners, queries := 0, 0
		for _, proc := range p.procs {
			if proc.Archiver != nil {
				owners++
			} else {
				queries++
			}
		}
		if owners == 0 || owners < 3 && p.rng.IntN(800) == 0 {
			p.owner(200 + int64(p.rng.IntN(2500)))
		}
		if queries < 2 {
			p.query(500 + int64(p.rng.IntN(1500)))
		}
		p.disaster()
		if p.asked == nil && p.now < simTicks/2 && p.rng.IntN(simTicks/4) == 0 {
			p.erase()
		}
		p.step()
		p.spoil()
		if p.now%500 == 0 {
			p.offsets()
		}
	}
	if p.wrong == "" {
		p.settle()
	}
	p.killAll()
	return p
}

// settle ends all faults: an owner goes on to the end of the log, and what is there then is right.
func (p *lakePlay) settle() {
	p.killAll()
	for _, r := range p.late {
		r.do()
	}
	p.late, p.faults, p.visible = nil, false, simRecords
	p.owner(1 << 40)
	reads, end := p.reads, p.now+8000
	for settled := false; p.now < end && p.wrong == "" && !settled; {
		for range 100 {
			p.step()
			p.spoil()
		}
		if settled = p.published() >= p.lastCut(); settled && len(p.procs) == 1 {
			p.query(1 << 40)
		}
		settled = settled && p.reads >= reads+2
	}
	if p.wrong != "" {
		return
	}
	if p.asked != nil && !p.erased {
		p.fail("who was erased is seen")
	}
	if p.now >= end {
		p.fail("without faults hits have come to %d of %d, and there were %d reads; the last error was %v", p.published(), p.lastCut(), p.reads-reads, p.last)
	}
	p.offsets()
}

// lastCut returns where the last full segment of the raw archive ends.
func (p *lakePlay) lastCut() (next int64) {
	for key, body := range p.objects {
		if strings.HasPrefix(key, progressPrefix) {
			if done, err := decodeProgress(key, body); err == nil {
				next = max(next, done.NextOffset)
			}
		}
	}
	return next
}

// TestSim: whoever dies, sleeps, outlives its successor, gets no answer or is done late or twice, each record's hits and visits are there
// once in all that a query sees, and are those of a log that is read without a stop.
func TestSim(t *testing.T) {
	t.Parallel()
	reads, dropped := 0, 0
	all := lakePlay{}
	for seed := *simFirst; seed < *simFirst+*simSeeds; seed++ {
		p := playLake(t, seed, without{})
		if p.wrong != "" {
			t.Fatalf("seed %d: %s", seed, p.wrong)
		}
		reads, dropped = reads+p.reads, dropped+p.dropped
		all.add(p.total)
	}
	if n := int64(*simSeeds); n >= 25 && (all.total.Commits < 10*n || all.total.Merges < 5*n || int64(reads) < 10*n || all.total.Passed < n || all.total.Anew == 0) {
		t.Error("the simulation does too little")
	}
	t.Logf("%d seeds: %d queries have read all, %d times things were dropped, %+v", *simSeeds, reads, dropped, all.total)
}

// TestSimWithout: with something taken out the simulation finds that something is wrong. That names of
// checkpoints have their base as those of files do, TestHitsMadeAgain and TestHitsAnew hold: the
// simulation comes by it too seldom.
func TestSimWithout(t *testing.T) {
	t.Parallel()
	if !*thorough {
		t.Skip("takes ten seconds of a core; -thorough runs it")
	}
	f := func(name string, out without) {
		t.Helper()
		wrong, runs, what := 0, 0, ""
		for ; runs < 200 && wrong == 0; runs++ {
			if p := playLake(t, uint64(runs), out); p.wrong != "" {
				wrong++
				what = p.wrong
			}
		}
		t.Logf("without %s run %d is wrong; %s", name, runs, what)
		if wrong == 0 {
			t.Errorf("without %s nothing is wrong", name)
		}
	}
	f("L1", without{l1: true})
	f("L2", without{l2: true})
	f("L3", without{l3: true})
	f("L4", without{l4: true})
	f("L5", without{l5: true})
	f("L6", without{l6: true})
	f("L7", without{l7: true})
	f("a look at what is merged", without{inputs: true})
}
