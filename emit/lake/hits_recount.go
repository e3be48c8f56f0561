package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"millrace/emit/lake/commits"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/internal/blob"
)

// RecountOptions are those of OpenRecount. All are required.
type RecountOptions struct {
	Store blob.Store
	// Topic and Partition name the log, and Commits is the log of its commits.
	Topic     string
	Partition int32
	Commits   commits.Log
	// From and To bound what is counted again: [From, To), whole days of UTC, of hits by their time and of visits and joins by their
	// beginning.
	From, To event.Time
	// Next is the first record that is not counted again: up to there the raw archive was read.
	Next int64
	// Began is from when on hits are whole, if those behind To are: From, or 0 if the archive has nothing before.
	Began event.Time
	Log   *slog.Logger
}

// ErrNoHits is wrapped by the error of OpenRecount for a partition of which the archive role makes no hits, or has not yet made them up to
// where the raw archive is.
var ErrNoHits = errors.New("the archive has no hits of all that is archived")

// Recount takes hits and visits of a partition that were counted again, and puts them in the place of what the archive has of the same
// time and the same records. It implements hits.Sink, and replay's HitsSink.
//
// What it takes the place of are rows, not files: hits of a time within the range and visits that began in it, of records before Next. Rows
// of the same files that are others, such as the hits after midnight of a visit that began before To, are written again with the new ones. So
// each event has one hit, on whichever day the visit began that it was of, or is now.
//
// Days are replaced in one commit, with as many others as make some 64 MB: a snapshot has the old rows of a day or the new ones. The commit is
// one of the partition's chain, which an archiver may be writing to: of two on one base the first counts. If that is the archiver's, the files are
// put again under the names of the next base; if it is this one, the archiver reads the chain and makes its segment again. Before the first
// commit nothing has changed, and what a Recount leaves undone another does: the same rows are the same files, which stay.
//
// Checkpoints stay as they are: they hold visits that go on, and the days that are counted again are over.
type Recount struct {
	o     RecountOptions
	chain *commits.Chain

	rows  map[event.Time]*hitRows // by the day of their time, of visits of their beginning
	spare []*hitRows
	held  int // hits in rows
	cut   int
	joins hits.Joins

	parts map[event.Time][]recountPart // rows that are encoded, likewise
	bytes int64                        // of parts
	batch int64                        // from how many on a commit is made
	at    event.Time                   // days before it are committed
	done  event.Time                   // and those before this are whole
	made  map[string]*recounted        // files of the commit under way, by what they are made of
	err   error                        // of a call that returns none

	stats RecountStats
}

// recountPart is a file of some of a day's rows, in memory.
type recountPart struct {
	table commits.Table
	day   event.Time // that the file lies under
	body  []byte
	rows  int64
}

// RecountStats are what a Recount did.
type RecountStats struct {
	Hits, Visits int64 // that were counted, visits with joins
	Commits      int64 // that changed something
	Lost         int64 // that another's came before
	Added        int64 // files
	Kept         int64 // files that are there already
	Removed      int64 // files
}

// recountBatch is how many bytes of encoded rows are committed together: they are held in memory, and put anew if the commit does not count.
const recountBatch = 64 << 20

// OpenRecount opens the chain of the partition. An error that wraps ErrNoHits means that there is nothing to count again.
func OpenRecount(ctx context.Context, o RecountOptions) (*Recount, error) {
	if o.From.Floor(day) != o.From || o.To.Floor(day) != o.To || o.To <= o.From {
		return nil, fmt.Errorf("count hits again of %s to %s: these are no whole days", o.From, o.To)
	}
	chain, err := commits.Open(ctx, commits.Options{Topic: o.Topic, Partition: o.Partition, Log: o.Commits, Store: o.Store, Logger: o.Log})
	if err != nil {
		return nil, err
	}
	if s := chain.State(); s.Version < 0 || s.Next < o.Next {
		return nil, fmt.Errorf("%w: of partition %d up to record %d, and rows up to %d", ErrNoHits, o.Partition, s.Next, o.Next)
	}
	return &Recount{
		o: o, chain: chain, rows: map[event.Time]*hitRows{}, cut: importRows, joins: hits.Joins{}, parts: map[event.Time][]recountPart{},
		batch: recountBatch, at: o.From, done: o.From, made: map[string]*recounted{},
	}, nil
}

// Stats returns what was done so far.
func (r *Recount) Stats() RecountStats { return r.stats }

// wants reports whether a row of a time is of the range.
func (r *Recount) wants(at event.Time) bool {
	if at < r.o.From || at >= r.o.To {
		return false
	}
	if at < r.done && r.err == nil {
		r.err = fmt.Errorf("BUG: a row of %s came after all of the days before %s", at, r.done)
	}
	return r.err == nil
}

// rowsOf returns the rows of the day of a time.
func (r *Recount) rowsOf(at event.Time) *hitRows {
	of := at.Floor(day)
	rows := r.rows[of]
	if rows == nil {
		if n := len(r.spare); n > 0 {
			rows, r.spare = r.spare[n-1], r.spare[:n-1]
		} else {
			rows = newHitRows(r.o.Topic, r.o.Partition)
		}
		r.rows[of] = rows
	}
	return rows
}

// Hit implements hits.Sink.
func (r *Recount) Hit(h *hits.Hit) {
	if h.Offset >= r.o.Next || !r.wants(h.Time) {
		return
	}
	r.rowsOf(h.Time).Hit(h)
	r.stats.Hits++
	if r.held++; r.held >= r.cut {
		r.encode(r.o.To)
	}
}

// Join implements hits.Sink.
func (r *Recount) Join(j hits.Join) {
	r.joins.Add(j)
	if r.wants(j.Begin) {
		r.stats.Visits++
		r.rowsOf(j.Begin).Join(j)
	}
}

// Visit implements hits.Sink.
func (r *Recount) Visit(v *visit.Visit) {
	if r.wants(v.Begin) {
		r.stats.Visits++
		r.rowsOf(v.Begin).Visit(v)
	}
}

// encode makes parts of the rows of the days before a time.
func (r *Recount) encode(before event.Time) {
	for _, of := range slices.Sorted(maps.Keys(r.rows)) {
		if of >= before || r.err != nil {
			return
		}
		rows := r.rows[of]
		r.err = rows.files(func(f commits.File, body []byte) error {
			r.parts[of] = append(r.parts[of], recountPart{f.Table, f.Day, bytes.Clone(body), f.Rows})
			r.bytes += int64(len(body))
			return nil
		})
		r.held -= rows.rows
		rows.reset()
		delete(r.rows, of)
		r.spare = append(r.spare, rows)
	}
}

// Done says that all has been given of hits of a time before an instant, and of visits that began before it.
func (r *Recount) Done(ctx context.Context, before event.Time) error {
	if before = min(before, r.o.To).Floor(day); before > r.done && r.err == nil {
		r.encode(before)
		r.done = before
		if r.err == nil && (r.bytes >= r.batch || before == r.o.To) {
			r.err = r.commit(ctx, r.at, before)
		}
	}
	return r.err
}

// commit replaces the days of [from, to).
func (r *Recount) commit(ctx context.Context, from, to event.Time) error {
	for lost := 0; ; {
		counted, err := r.try(ctx, from, to)
		if err != nil {
			return fmt.Errorf("count hits of %s to %s again: %w", from, to, err)
		}
		if counted {
			break
		}
		r.stats.Lost++
		lost++
		// An archiver may commit more often than so much can be put.
		if half := (from + (to-from)/2).Floor(day); lost == 3 && half > from {
			if err := r.commit(ctx, from, half); err != nil {
				return err
			}
			from, lost = half, 0
		}
	}
	for of, parts := range r.parts {
		if of < to {
			for i := range parts {
				r.bytes -= int64(len(parts[i].body))
			}
			delete(r.parts, of)
		}
	}
	clear(r.made)
	r.at = to
	return nil
}

// try is commit once, and reports whether the commit counted, or there was nothing to change.
func (r *Recount) try(ctx context.Context, from, to event.Time) (counted bool, err error) {
	var of *recounting
	for {
		if err := r.chain.Refresh(ctx); err != nil {
			return false, err
		}
		state := r.chain.State()
		if of != nil && of.state.Base() == state.Base() {
			break
		}
		// The files are made first: to put them takes less time, and what is made is good for the next base too.
		if of, err = r.plan(ctx, state, from, to); err != nil {
			return false, err
		}
	}
	change := of.state.Change()
	change.Recount, change.Remove = true, of.remove
	if r.o.Began < change.Began && change.Began <= to {
		change.Began = r.o.Began
	}
	for _, f := range of.files {
		change.Add = append(change.Add, f.File)
	}
	if change.Empty(of.state) {
		r.stats.Kept += int64(of.kept)
		return true, nil
	}
	for _, f := range of.files {
		if err := r.o.Store.Put(ctx, f.Key, f.body); err != nil {
			return false, err
		}
	}
	counted, err = r.chain.Commit(ctx, change)
	if counted {
		r.stats.Commits++
		r.stats.Added += int64(len(of.files))
		r.stats.Removed += int64(len(of.remove))
		r.stats.Kept += int64(of.kept)
	}
	return counted, err
}
