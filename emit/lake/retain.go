package lake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"millrace/engine/event"
)

// Retention says for how many days before today the rows of sites are kept; 0 is for ever.
type Retention struct {
	All   int            // of all sites but Sites
	Sites map[string]int // of those that have another
}

// RetainOptions are how an Archiver deletes what sites keep no longer. All fields are required.
type RetainOptions struct {
	// Retention returns what holds now.
	Retention func() Retention
	// Reach is how much earlier than a number's time the events may be that it is counted of: rows are kept for as much longer.
	Reach event.Time
	// Busy returns what a command that is at work on the archive does, "" if there is none. Nothing is deleted beside one.
	Busy func(ctx context.Context) (what string, err error)
}

// RetainStats are counters of what retention has deleted since New.
type RetainStats struct {
	Objects  int64      // raw objects deleted
	Files    int64      // files of hits and visits that are to be deleted
	Rewrites int64      // objects and files written again without some rows
	Rows     int64      // rows of all of these
	Waiting  int64      // sites whose shortened retention is not in force yet
	Passed   event.Time // when the archive had last no more than sites keep; 0: not yet
}

type retainCounts struct{ objects, files, rewrites, rows, waiting, passed atomic.Int64 }

// RetainStats returns the counters as they are now.
func (a *Archiver) RetainStats() RetainStats {
	s := &a.retained
	return RetainStats{Objects: s.objects.Load(), Files: s.files.Load(), Rewrites: s.rewrites.Load(), Rows: s.rows.Load(),
		Waiting: s.waiting.Load(), Passed: event.Time(s.passed.Load())}
}

const (
	// retainEvery is how often it is looked for rows that are kept no longer, and retainAgain when it is gone on with what was begun.
	retainEvery, retainAgain = time.Hour, time.Minute
	// retainGrace is how long objects stay that are noted to be gone, for who has listed them before: as long as files that merges
	// have replaced.
	retainGrace = time.Hour
	// zonesApart is how much earlier than UTC's a site's midnight is at most.
	zonesApart = 14 * event.Hour
)

// lag is how many whole days of UTC rows are kept for longer than numbers. Days of UTC, and one lag for all sites, have the rows of one
// retention go at once, whatever zones their sites are in: no object is written again for each zone.
func lag(reach event.Time) event.Time { return (zonesApart + reach + day - 1).Floor(day) }

// wanted returns the times before which no rows are to be kept at an instant.
func (r *Retention) wanted(now, reach event.Time) *Expired {
	before := func(days int) event.Time {
		if days <= 0 {
			return 0
		}
		return max(now.Floor(day)-event.Time(days)*day-lag(reach), 0)
	}
	x := newExpired()
	x.All, x.Reach = before(r.All), reach
	for s, days := range r.Sites {
		x.Sites[s] = before(days)
	}
	return x
}

// usualStep is by how much the time before which rows go moves at once. A greater step is of a retention that was shortened, a clock that
// is wrong or an archiver that was away: it has to be wanted for stepWait.
const (
	usualStep = 2 * day
	stepWait  = day
)

// waiting is a step that is not in force yet.
type waiting struct {
	Before event.Time `json:"before"` // rows before go
	Since  event.Time `json:"since"`  // when it was first wanted
}

// waitingNote has those of all sites, by site; "" is all sites that have no retention of their own.
const waitingNote = "expiring"

// step returns what is in force at an instant of what is wanted, and which steps wait for it to be. Nothing ever goes back.
func step(inForce, want *Expired, waits map[string]waiting, now event.Time) (next *Expired, still map[string]waiting) {
	still = map[string]waiting{}
	of := func(site string, from, to event.Time) event.Time {
		if to-from <= usualStep {
			return max(from, to)
		}
		w, ok := waits[site]
		if !ok || to > w.Before+usualStep || w.Since > now {
			w = waiting{to, now}
		}
		w.Before = min(w.Before, to)
		if now-w.Since >= stepWait {
			return max(from, w.Before)
		}
		still[site] = w
		return from
	}
	next = inForce.clone()
	next.Reach = max(next.Reach, want.Reach)
	to := newExpired()
	to.All = of("", inForce.All, want.All)
	for _, s := range slices.Concat(slices.Collect(maps.Keys(inForce.Sites)), slices.Collect(maps.Keys(want.Sites))) {
		to.Sites[s] = of(s, inForce.Before(s), want.Before(s))
	}
	// What a site had from the default it keeps, and no more: all times of to are those of inForce at least.
	next.All, next.Sites = to.All, to.Sites
	maps.DeleteFunc(next.Sites, func(_ string, t event.Time) bool { return t == next.All })
	return next, still
}

// retaining deletes what sites keep no longer: of the process's partitions, and, where the first one is this process's, of imports.
type retaining struct {
	a *Archiver
	o RetainOptions
	m *merging

	waits map[string]waiting // that were logged

	// stale is what was noted to be gone at a time that lies retainGrace back, fresh what is noted since, at a time.
	stale, fresh *Expired
	at           time.Time
	deleting     bool // objects that were noted to be gone wait to be deleted

	raw     rawPass
	checked map[string]string // files of hits, by key: for which sites they were looked through
	offered map[int32]int64   // by partition: the version of the state for which removals were offered last

	sum    RetainStats // at the last line of the log
	logged time.Time
}

func (a *Archiver) newRetaining() *retaining {
	o := MergeOptions{}
	if a.o.Hits != nil {
		o = a.o.Hits.Merges
	}
	return &retaining{a: a, o: *a.o.Retain, m: &merging{a: a, o: o.withDefaults(), aside: map[mergeDay]time.Time{}}, checked: map[string]string{}, offered: map[int32]int64{}}
}

// startRetaining deletes in the background until ctx is done. done returns when it has ended.
func (a *Archiver) startRetaining(ctx context.Context) (done func()) {
	if a.o.Retain == nil {
		return func() {}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.newRetaining().run(ctx)
	}()
	return func() { <-ended }
}

func (r *retaining) run(ctx context.Context) {
	failed := false
	for {
		more, err := r.once(ctx)
		if err != nil && ctx.Err() == nil {
			if !failed {
				r.a.o.Log.Warn("what sites keep no longer can't be deleted from the archive; it is tried again", "err", err)
			}
			more = true
		}
		failed = err != nil
		pause := retainEvery
		if more {
			pause = retainAgain
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// once goes on with what is to be deleted, and reports whether there is more to do soon.
func (r *retaining) once(ctx context.Context) (more bool, err error) {
	a := r.a
	owned := a.ownedPartitions()
	if len(owned) == 0 {
		return true, nil
	}
	if what, err := r.o.Busy(ctx); err != nil || what != "" {
		return true, err
	}
	l := NewReader(a.o.Store)
	progress, err := l.ProgressOf(ctx, a.o.Topic)
	if err != nil {
		return true, err
	}
	now, ok := a.agreed(progress)
	if !ok {
		return true, nil
	}
	x, names, err := r.inForce(ctx, l, now)
	if err != nil {
		return true, err
	}
	a.expired.Store(x.clone())
	if x.greatest() <= 0 {
		if len(r.waits) == 0 {
			a.retained.passed.Store(int64(event.TimeOf(a.o.now())))
		}
		return false, nil
	}
	if now := a.o.now(); r.at.IsZero() || now.Sub(r.at) >= retainGrace {
		r.stale, r.fresh, r.at = r.fresh, x.clone(), now
	}
	p := &pass{r: r, l: &Reader{store: a.o.Store, whole: true}, x: x, names: names, owned: owned, progress: progress, pace: r.m.pacer()}
	rawMore, err1 := p.raw(ctx)
	hitsMore, err2 := p.hits(ctx)
	importsMore, err3 := p.imports(ctx)
	a.expired.Store(x.clone())
	more, err = rawMore || hitsMore || importsMore, errors.Join(err1, err2, err3)
	if !more && err == nil && !r.deleting {
		a.retained.passed.Store(int64(event.TimeOf(a.o.now())))
		r.say()
	}
	return more, err
}

// agreed returns the instant by which days are past: the earlier of the wall clock's and that up to which all partitions of the log are
// read, by the clocks of collectors. One of them that is ahead deletes nothing.
func (a *Archiver) agreed(progress map[int32]Progress) (now event.Time, ok bool) {
	now = event.TimeOf(a.o.now())
	for _, p := range progress {
		now = min(now, p.Low)
	}
	return now, len(progress) > 0 && now > 0
}

// inForce returns what is expired now, having noted it, and the names of its notes.
func (r *retaining) inForce(ctx context.Context, l *Reader, now event.Time) (*Expired, []string, error) {
	x, names, err := l.readExpired(ctx)
	if err != nil {
		return nil, nil, err
	}
	waits, err := readWaits(ctx, l)
	if err != nil {
		return nil, nil, err
	}
	of := r.o.Retention()
	next, still := step(x, of.wanted(now, r.o.Reach), waits, now)
	if !maps.Equal(waits, still) {
		if err := r.wait(ctx, waits, still); err != nil {
			return nil, nil, err
		}
	}
	r.warn(ctx, l, still)
	r.a.retained.waiting.Store(int64(len(still)))
	if next.All != x.All || !maps.Equal(next.Sites, x.Sites) || next.Reach != x.Reach || len(names) > 1 {
		name, err := putExpired(ctx, r.a.o.Store, next, names)
		if err != nil {
			return nil, nil, err
		}
		names = []string{name}
	}
	return next, names, nil
}

func readWaits(ctx context.Context, l *Reader) (map[string]waiting, error) {
	waits := map[string]waiting{}
	text, found, err := l.Note(ctx, waitingNote)
	if err != nil && !errors.Is(err, ErrNote) {
		return nil, fmt.Errorf("read which retention waits: %w", err)
	}
	if err == nil && found {
		_ = json.Unmarshal([]byte(text), &waits) // one that can't be read is a wait that begins again
	}
	return waits, nil
}

// wait notes which steps wait.
func (r *retaining) wait(ctx context.Context, before, still map[string]waiting) error {
	if len(still) == 0 && len(before) > 0 {
		return DeleteNote(ctx, r.a.o.Store, waitingNote)
	}
	text, err := json.Marshal(still)
	if err == nil {
		err = PutNote(ctx, r.a.o.Store, waitingNote, string(text))
	}
	return err
}

// mostWarned is how many sites have a line of their own about a step that waits.
const mostWarned = 10

// warn logs steps that have begun to wait, if the archive has anything that they would delete.
func (r *retaining) warn(ctx context.Context, l *Reader, still map[string]waiting) {
	known := r.waits
	r.waits = still
	first, any := event.Time(0), false
	n := 0
	for _, site := range slices.Sorted(maps.Keys(still)) {
		w := still[site]
		if old, ok := known[site]; ok && old.Since == w.Since {
			continue
		}
		if n == 0 {
			for info, err := range l.store.List(ctx, "dt=", "") {
				if err != nil {
					return
				}
				if k, err := ParseKey(info.Key); err == nil {
					first, any = k.Hour, true
					break
				}
			}
		}
		if !any || w.Before <= first {
			continue
		}
		if n++; n > mostWarned {
			continue
		}
		r.a.o.Log.Warn("by its retention more days of a site go from the archive than usual, for good, in a day from now: if that is not meant, "+
			"set its retention in the file of sites, or the clock, right before",
			"site", cmp.Or(site, "all that have none of their own"), "first day that goes", dateOf(max(first, 0)), "last day that goes", dateOf(w.Before-day),
			"at", (w.Since + stepWait).String())
	}
	if n > mostWarned {
		r.a.o.Log.Warn("of further sites more days go from the archive than usual, in a day from now", "sites", n-mostWarned)
	}
}

func dateOf(t event.Time) string { return t.Std().Format(time.DateOnly) }

// say logs once a day what was deleted.
func (r *retaining) say() {
	s := r.a.RetainStats()
	if now := r.a.o.now(); s.Rows > r.sum.Rows && now.Sub(r.logged) >= 24*time.Hour {
		r.a.o.Log.Info("rows that sites keep no longer are deleted from the archive", "rows", s.Rows-r.sum.Rows, "objects", s.Objects-r.sum.Objects,
			"files of hits and visits", s.Files-r.sum.Files, "written again without some", s.Rewrites-r.sum.Rewrites)
		r.sum, r.logged = s, now
	}
}

// ownedPartitions returns the partitions that are this process's.
func (a *Archiver) ownedPartitions() map[int32]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	owned := map[int32]bool{}
	for id, p := range a.partitions {
		if s := p.owner.Load(); s != nil && (*s).Err() == nil {
			owned[id] = true
		}
	}
	return owned
}
