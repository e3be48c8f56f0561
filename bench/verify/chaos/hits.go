package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	pq "github.com/parquet-go/parquet-go"

	"millrace/emit/lake"
	"millrace/emit/lake/commits"
	"millrace/emit/lake/hitfile"
	"millrace/emit/lake/hitmerge"
	"millrace/engine"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/internal/blob"
)

// More points, of commits of hits.
const (
	beforeChain = "before-chain" // files are stored, and their commit is about to be written
	afterChain  = "after-chain"  // it is written, and nobody knows
)

// hitsGrace is how long files of hits stay that were replaced: not longer than a worker lives.
const hitsGrace = 500 * time.Millisecond

// bombLog has the points of commits.
type bombLog struct {
	commits.Log
	bomb *bomb
}

// Append implements commits.Log.
func (l bombLog) Append(ctx context.Context, record []byte) (int64, error) {
	l.bomb.hit(beforeChain)
	offset, err := l.Log.Append(ctx, record)
	l.bomb.hit(afterChain)
	return offset, err
}

// ledgers makes those of a run's partitions.
func (j *job) ledgers() (func(partition int32) lake.Ledger, error) {
	of := Audit{Goals: j.Goals, Lateness: j.Lateness}
	derive, err := of.NewDeriver()
	return func(partition int32) lake.Ledger {
		return engine.NewLedger(engine.LedgerOptions{Topic: engine.EventsTopic, Partition: partition, Rules: of.Rules(), Deriver: derive()})
	}, err
}

// hits returns what an archiver makes hits with, and what closes it.
func (w *worker) hits() (*lake.HitsOptions, func() error, error) {
	c := w.cluster()
	topics, err := commits.OpenTopics(c)
	if err != nil {
		return nil, nil, err
	}
	ledgers, err := w.ledgers()
	if err != nil {
		return nil, nil, errors.Join(err, topics.Close())
	}
	return &lake.HitsOptions{
		NewLedger: ledgers, Rules: "chaos",
		Head: func(checkpoint []byte) (commits.Checkpoint, error) {
			h, err := engine.ReadHead(checkpoint)
			return commits.Checkpoint{Prev: h.Prev, Last: h.Last, IDs: h.IDs, SeenFrom: h.SeenFrom, Until: h.Until, Watermark: h.Watermark}, err
		},
		Commits: func(partition int32) commits.Log { return bombLog{topics.Partition(partition), w.bomb} },
		Records: func(ctx context.Context, partition int32, from, to int64, f func(int64, []byte) error) error {
			return c.Records(ctx, engine.EventsTopic, partition, from, to, f)
		},
		// A few segments become a file of an hour, and a few of these one of the day, in which hits have the names that joins have given them.
		Merges: lake.MergeOptions{Policy: hitmerge.Policy{Segments: 3}, Share: 1, Every: 50 * time.Millisecond},
		Grace:  hitsGrace,
	}, topics.Close, nil
}

// checkHits holds what is committed of hits and visits against the log: each row is there once, and as one Ledger makes it that has
// read the log without a stop. It returns the number of hits.
func (r *run) checkHits(ctx context.Context, store blob.Store, j job) (n int, err error) {
	topics, err := commits.OpenTopics(r.world.cluster)
	if err != nil {
		return 0, err
	}
	defer topics.Close()
	ledgers, err := j.ledgers()
	if err != nil {
		return 0, err
	}
	for p := range r.world.partitions {
		chain, err := commits.Open(ctx, commits.Options{Topic: engine.EventsTopic, Partition: p, Log: topics.Partition(p), Store: store})
		if err != nil {
			return n, err
		}
		s := chain.State()
		if published, err := r.snapshot(ctx, store); err != nil {
			return n, err
		} else if published.Partitions[p].Sum != s.Sum {
			r.report.Fail("partition %d: published is version %d, and committed version %d", p, published.Partitions[p].Version, s.Version)
		}
		r.levels(s)
		rows := ledgerRows{hitfile.NewBuffer(), hitfile.NewVisitBuffer(engine.EventsTopic, p), hits.Joins{}}
		l := ledgers(p)
		err = r.world.cluster.Records(ctx, engine.EventsTopic, p, 0, s.Next, func(offset int64, value []byte) error {
			_ = l.Step(offset, value, rows) // what can't be read has no hits
			return nil
		})
		if err != nil {
			return n, err
		}
		if s.Began != 0 {
			r.report.Fail("partition %d: hits are whole from %s only", p, s.Began)
		}
		n += rows.Buffer.Len()
		for _, t := range commits.Tables() {
			if err := r.compareRows(ctx, store, s, t, rows); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// levels counts the files of a state by level.
func (r *run) levels(s *commits.State) {
	for _, t := range commits.Tables() {
		for _, f := range s.Files(t) {
			r.merged[f.Level.String()]++
		}
	}
}

func (r *run) snapshot(ctx context.Context, store blob.Store) (*commits.Snapshot, error) {
	return commits.NewReader(commits.ReaderOptions{Store: store, Topic: engine.EventsTopic, Partitions: r.world.partitions}).Snapshot(ctx)
}

// watchHits takes snapshots, as queries do, until stop is called: none goes back (I6, I9), and all files of one are there for as long as
// a query may take (I7). stop returns how many there were.
func (r *run) watchHits(ctx context.Context, store blob.Store) (stop func() int) {
	ctx, cancel := context.WithCancel(ctx)
	n := make(chan int, 1)
	go func() { n <- r.snapshots(ctx, store) }()
	return sync.OnceValue(func() int { cancel(); return <-n })
}

func (r *run) snapshots(ctx context.Context, store blob.Store) (n int) {
	reader := commits.NewReader(commits.ReaderOptions{Store: store, Topic: engine.EventsTopic, Partitions: r.world.partitions, MaxAge: 1})
	var last *commits.Snapshot
	for ctx.Err() == nil {
		s, err := reader.Snapshot(ctx)
		if err != nil {
			if ctx.Err() == nil {
				r.report.Fail("a snapshot of hits: %v", err)
			}
			return n
		}
		for p, now := range s.Partitions {
			if last != nil && (now.Version < last.Partitions[p].Version || now.Next < last.Partitions[p].Next) {
				r.report.Fail("partition %d: hits have gone back from version %d and record %d to %d and %d", p, last.Partitions[p].Version, last.Partitions[p].Next, now.Version, now.Next)
			}
			for _, t := range commits.Tables() {
				for _, f := range now.Files(t) {
					o, err := store.Open(ctx, f.Key)
					switch {
					case ctx.Err() != nil || err != nil && time.Since(s.Taken) >= hitsGrace:
					case err != nil:
						r.report.Fail("version %d of partition %d: %v", now.Version, p, err)
					case o.Size() != f.Size:
						r.report.Fail("%s has %d bytes, and the commits say %d", f.Key, o.Size(), f.Size)
					}
					if err == nil {
						o.Close()
					}
				}
			}
		}
		last = s
		n++
		_ = sleep(ctx, 200*time.Millisecond)
	}
	return n
}

// ledgerRows is a hits.Sink for files of all hits and visits.
type ledgerRows struct {
	*hitfile.Buffer
	*hitfile.VisitBuffer
	joins hits.Joins
}

// Join implements hits.Sink.
func (r ledgerRows) Join(j hits.Join) {
	r.joins.Add(j)
	r.VisitBuffer.Join(j)
}

func (r *run) compareRows(ctx context.Context, store blob.Store, s *commits.State, t commits.Table, want ledgerRows) error {
	var file bytes.Buffer
	encode := want.Buffer.Encode
	if t == commits.Visits {
		encode = want.VisitBuffer.Encode
	}
	if err := encode(&file); err != nil {
		return err
	}
	wanted, err := textsOfRows(nil, file.Bytes(), t, want.joins)
	if err != nil {
		return err
	}
	var got []string
	for _, f := range s.Files(t) {
		body, err := store.Get(ctx, f.Key)
		if err == nil {
			got, err = textsOfRows(got, body, t, want.joins)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Key, err)
		}
	}
	slices.Sort(got)
	slices.Sort(wanted)
	if slices.Equal(got, wanted) {
		return nil
	}
	r.report.Fail("partition %d: %d rows of %v up to record %d, want %d", s.Partition, len(got), t, s.Next, len(wanted))
	for i := range min(len(got), len(wanted)) {
		if got[i] != wanted[i] {
			r.report.Fail("partition %d: row %d of %v is %s, want %s", s.Partition, i, t, got[i], wanted[i])
			break
		}
	}
	return nil
}

// textsOfRows appends all rows of a Parquet file as texts, hits with the visits that they are of by joins: in merged files they have them.
func textsOfRows(dst []string, file []byte, t commits.Table, joins hits.Joins) ([]string, error) {
	f, err := pq.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	is := -1
	if leaf, ok := f.Schema().Lookup("visit"); ok && t == commits.Hits {
		is = leaf.ColumnIndex
	}
	for _, group := range f.RowGroups() {
		rows := group.Rows()
		buf := make([]pq.Row, 100)
		for {
			n, err := rows.ReadRows(buf)
			for _, row := range buf[:n] {
				for i, v := range row {
					if v.Column() == is && !v.IsNull() {
						row[i] = pq.Int64Value(int64(joins.Of(visit.ID(v.Int64())))).Level(v.RepetitionLevel(), v.DefinitionLevel(), is)
					}
				}
				dst = append(dst, fmt.Sprintf("%+v", row))
			}
			if err != nil {
				break // of the end; a file that lacks rows is not the one that is wanted
			}
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// suspendArchiver stops an archiver in the midst of its work, has its group take it for dead, lets another go on with its partitions,
// and wakes it: it finishes what it was at, as one that is not the owner any more. Then both are killed.
func (r *run) suspendArchiver(ctx context.Context, first, second job, from, to float64) error {
	at := func(part float64) error { return r.feed.until(ctx, r.share(from+(to-from)*part)) }
	p, err := r.start(ctx, first)
	if err != nil {
		return err
	}
	if err := at(0.3); err != nil {
		return err
	}
	if err := sleep(ctx, time.Duration(r.rng.IntN(1000))*time.Millisecond); err != nil {
		return err
	}
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	ids, err := r.world.members(ctx, lake.Group)
	if err == nil {
		err = r.world.evict(ctx, lake.Group, ids)
	}
	if err != nil {
		return err
	}
	next, err := r.start(ctx, second)
	if err != nil {
		return err
	}
	if err := at(0.7); err != nil {
		return err
	}
	if err := sleep(ctx, time.Second); err != nil {
		return err
	}
	if err := p.signal(syscall.SIGCONT); err != nil {
		return err
	}
	if err := errors.Join(at(1), sleep(ctx, time.Second)); err != nil {
		return err
	}
	for _, p := range []*proc{p, next} {
		if !p.alive() {
			return fmt.Errorf("an archiver ended by itself: %s", p.errs.String())
		}
		if err := p.kill(ctx); err != nil {
			return err
		}
	}
	return nil
}
