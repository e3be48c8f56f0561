package commits

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// SweepOptions are those of a Sweeper.
type SweepOptions struct {
	// Grace is how long what was removed stays for readers whose snapshot has it: the longest time from taking a snapshot to the
	// end of a query. 0 is an hour.
	Grace time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time

	// lax takes rule L5 out. Tests set it.
	lax bool
}

// Sweeper deletes what nobody can need any more of a partition (rules L5 and L6). It has a clock and no notion of others' clocks:
// what was removed has to be seen as removed for Grace by this Sweeper. It belongs to the Chain's goroutine, and may be used with
// one Chain of the partition after the other.
type Sweeper struct {
	o    SweepOptions
	seen map[Removed]time.Time // when it was first seen
	gone map[Removed]bool      // is deleted, and the state does not know it yet
	cuts []cut                 // in order
}

// cut is that the published form needs nothing before a version.
type cut struct {
	at      time.Time
	version int64
}

// NewSweeper returns a Sweeper.
func NewSweeper(o SweepOptions) *Sweeper {
	o.Grace = cmp.Or(o.Grace, time.Hour)
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Sweeper{o: o, seen: map[Removed]time.Time{}, gone: map[Removed]bool{}}
}

// Due returns the keys of what was removed and may be deleted now (rule L6). What s has removed is published: only then does Grace
// begin.
func (w *Sweeper) Due(s *State) (keys []string) {
	now, removed := w.o.Now(), s.Removed()
	seen, gone := map[Removed]time.Time{}, map[Removed]bool{}
	for _, r := range removed {
		at, ok := w.seen[r]
		if !ok {
			at = now
		}
		seen[r], gone[r] = at, w.gone[r]
		if now.Sub(at) >= w.o.Grace && !gone[r] {
			keys = append(keys, r.Key)
		}
	}
	w.seen, w.gone = seen, gone // without what is not removed any more: the archive may have been put back
	return keys
}

// sweepMost bounds what one Sweep deletes, so that it does not hold a commit up.
const sweepMost = 256

// Sweep deletes what is Due, and returns the keys of all that is deleted and that State has among the removed: they go into
// Change.Deleted of the caller's next commit. If some can't be deleted it returns the error, and the keys of the others.
func (w *Sweeper) Sweep(ctx context.Context, c *Chain) (deleted []string, err error) {
	if len(c.pending) > 0 {
		return nil, nil // not published
	}
	due := w.Due(c.state)
	for _, key := range due[:min(len(due), sweepMost)] {
		if err = c.o.Store.Delete(ctx, key); err != nil {
			break
		}
		w.gone[c.state.removed[key]] = true
	}
	for r, ok := range w.gone {
		if ok {
			deleted = append(deleted, r.Key)
		}
	}
	slices.Sort(deleted)
	return deleted, err
}

// IsOrphan reports whether an object below the partition's folders can be deleted because no commit names it, and none can any more
// (rule L5). Whatever s is of the chain's states, it stays so.
func IsOrphan(s *State, key string) bool {
	base, ok := BaseOf(key)
	return ok && !s.Names(key) && base.Before(s.Base())
}

// Orphans deletes what IsOrphan reports, and entries, checkpoints and folds of the published form that newer ones have made
// needless for Grace. It lists the partition's folders, so it is for the start of an owner, and for once a day.
func (w *Sweeper) Orphans(ctx context.Context, c *Chain) (deleted int, err error) {
	s := c.state // before the lists: what is put meanwhile has a later base
	var folds []int64
	var old []string
	for _, t := range Tables() {
		for info, err := range c.o.Store.List(ctx, c.at.dir(t), "") {
			if err != nil {
				return deleted, err
			}
			base, named := BaseOf(info.Key)
			switch {
			case IsOrphan(s, info.Key) || w.o.lax && named && !s.Names(info.Key) && base.Epoch <= s.Base().Epoch:
				if err := c.o.Store.Delete(ctx, info.Key); err != nil {
					return deleted, err
				}
				deleted++
			case strings.HasPrefix(info.Key, c.at.foldDir()):
				if v, ok := versionOf(foldForm, info.Key); ok {
					folds = append(folds, v)
					old = append(old, info.Key)
				}
			case strings.HasPrefix(info.Key, c.at.logDir(t)):
				old = append(old, info.Key)
			}
		}
	}
	n, err := w.trim(ctx, c, folds, old)
	return deleted + n, err
}

// keepFolds is how many folds stay, with the entries behind them.
const keepFolds = 3

// trim deletes what the published form does not need. Folds and checkpoints go a sweep before the entries behind them: a reader
// with an old pointer then finds no fold, and looks for a newer one.
func (w *Sweeper) trim(ctx context.Context, c *Chain, folds []int64, old []string) (deleted int, err error) {
	slices.Sort(folds)
	folds = slices.Compact(folds)
	if len(folds) >= keepFolds {
		w.cuts = append(w.cuts, cut{w.o.Now(), folds[len(folds)-keepFolds]})
	}
	folded, entries := w.before(w.o.Grace), w.before(2*w.o.Grace)
	for _, key := range old {
		before := folded
		if strings.HasSuffix(key, ".json") && !strings.HasPrefix(key, c.at.foldDir()) {
			before = entries
		}
		v, ok := versionOf(logForm, key)
		if !ok {
			v, ok = versionOf(foldForm, key)
		}
		if !ok || v >= before {
			continue
		}
		if err := c.o.Store.Delete(ctx, key); err != nil {
			return deleted, err
		}
		deleted++
	}
	return deleted, nil
}

// before returns the newest version that has not been needed for so long, 0 if there is none.
func (w *Sweeper) before(long time.Duration) (version int64) {
	for _, c := range w.cuts {
		if w.o.Now().Sub(c.at) >= long {
			version = max(version, c.version)
		}
	}
	return version
}
