package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"millrace/engine/window"
)

// Write stores windows that fired. One that is older than the stored window of the same kind, site,
// shard and start is ignored; of two in the list the newer one counts, whatever their order.
// Windows of one version are parts of one firing, which add up, whether they come together or one
// after the other; a value given twice counts once, as last given.
func (s *Store) Write(ctx context.Context, ws []*window.Window) error {
	_, err := s.apply(ctx, ws, live, nil)
	return err
}

// Replace stores windows whatever the stored version is, which stays. A window without points
// clears the stored one of its kind. Of two of the same kind, site, shard and start in the list the
// last one counts.
func (s *Store) Replace(ctx context.Context, ws []*window.Window) error {
	_, err := s.apply(ctx, ws, replaced, nil)
	return err
}

// ReplaceArchived is Replace for windows that hold all that the log has up to the offset that is
// their Version. That version is kept if it is the larger one: firings at it or before stay out,
// later ones win.
func (s *Store) ReplaceArchived(ctx context.Context, ws []*window.Window) error {
	_, err := s.apply(ctx, ws, archived, nil)
	return err
}

// ReplaceSettled is ReplaceArchived for windows that the stream may have fired since: one that is
// stored with a later version than the given one's is left as it is, since it may count more. Left
// is how many these are. Nothing fires between the look and the write.
func (s *Store) ReplaceSettled(ctx context.Context, ws []*window.Window) (left int, err error) {
	return s.apply(ctx, ws, settled, nil)
}

// origin is where windows come from.
type origin uint8

const (
	live     origin = iota // a firing
	replaced               // a replay
	archived               // a replay that knows the log's offset
	settled                // one beside a stream at work
)

// WriteProgress stores how far partitions have been counted. An older offset than the stored one is
// ignored.
func (s *Store) WriteProgress(ctx context.Context, ps []window.Progress) error {
	_, err := s.apply(ctx, nil, live, ps)
	return err
}

// apply is one batch. Stale is the number of windows that were ignored as older than what is
// stored.
func (s *Store) apply(ctx context.Context, ws []*window.Window, from origin, ps []window.Progress) (stale int, err error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b := &batch{store: s, Batch: pebbleOf(s).NewBatch()}
	defer func() { err = b.close(err) }()
	if stale, err = b.windows(ws, from); err != nil {
		return 0, fmt.Errorf("write windows: %w", damaged(err))
	}
	if err := b.progress(ps); err != nil {
		return 0, fmt.Errorf("write progress: %w", damaged(err))
	}
	if b.Empty() {
		return stale, nil
	}
	if err := b.Commit(s.write); err != nil {
		return 0, fmt.Errorf("write %d windows: %w", len(ws), err)
	}
	return stale, nil
}

// batch collects the changes of one apply.
type batch struct {
	*pebble.Batch
	store    *Store
	it       *pebble.Iterator // over the store as it was, made when first needed
	key, val []byte
	unsummed map[summedDay]bool // days of which unsum has taken away the sums
}

func (b *batch) close(err error) error {
	if b.it != nil {
		err = closeIter(err, b.it)
	}
	return closeIter(err, b.Batch)
}

// windows adds the windows that are to be written: the last of each key, or all parts of the
// newest, if versions count.
func (b *batch) windows(ws []*window.Window, from origin) (stale int, err error) {
	last := make(map[string]*window.Window, len(ws))
	order := make([]string, 0, len(ws))
	for _, w := range ws {
		b.key = appendWindowKey(b.key[:0], w)
		prev := last[string(b.key)]
		if prev == nil {
			order = append(order, string(b.key))
		} else if from == live && w.Version < prev.Version {
			stale++
			continue
		} else if from == live && w.Version == prev.Version {
			// Parts of one firing, or the same firing again: of points given twice the last counts.
			both := *w
			both.Points = slices.Concat(prev.Points, w.Points)
			w = &both
		}
		last[string(b.key)] = w
	}
	for _, key := range order {
		wrote, err := b.latest([]byte(key), last[key], from)
		if err != nil {
			return 0, err
		}
		if !wrote {
			stale++
		}
	}
	return stale, nil
}

// latest adds the last window of a key. It is left out if it is live and older than what is stored,
// or of the same firing as a window that a replay has replaced since: the replay knew all of that
// firing.
func (b *batch) latest(key []byte, w *window.Window, from origin) (wrote bool, err error) {
	stored, known, err := b.version(key)
	if err != nil {
		return false, err
	}
	if from == live && (w.Version < stored.version || w.Version == stored.version && stored.replaced) {
		return false, nil
	}
	if from == settled && known && stored.version > w.Version {
		return false, nil
	}
	if !known && len(w.Points) == 0 {
		return true, nil // there is nothing to clear
	}
	// A part of the firing that is stored already adds to it; a newer firing takes its place.
	part := from == live && known && w.Version == stored.version
	now := version{w.Version, false, familiesOf(w)}
	switch {
	case part:
		now.families |= stored.families
		stored.families = 0 // nothing of them goes
	case from == replaced:
		now.version, now.replaced = stored.version, true
	case from == archived, from == settled:
		now.version, now.replaced = max(stored.version, w.Version), true
	}
	if err := b.unsum(w); err != nil {
		return false, err
	}
	if err := b.window(w, stored.families); err != nil {
		return false, err
	}
	return true, b.Set(key, appendVersion(nil, now), nil)
}

func (b *batch) version(key []byte) (v version, known bool, err error) {
	val, closer, err := pebbleOf(b.store).Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return version{version: noVersion}, false, nil
	}
	if err != nil {
		return v, false, err
	}
	defer closer.Close()
	v, err = decodeVersion(val)
	return v, true, err
}

// window adds one window: what differs from the stored points, which are of the families given.
func (b *batch) window(w *window.Window, stored families) error {
	points := make(map[string]int, len(w.Points))
	for i := range w.Points {
		b.key = appendPointKey(b.key[:0], w, &w.Points[i])
		points[string(b.key)] = i
	}
	if stored != 0 {
		if err := b.diff(w, stored, points); err != nil {
			return err
		}
	}
	for i := range w.Points {
		b.key = appendPointKey(b.key[:0], w, &w.Points[i])
		if j, ok := points[string(b.key)]; !ok || j != i {
			continue // stored as it is, or given twice
		}
		b.val = appendRollup(b.val[:0], w.Kind, w.Final, &w.Points[i].Rollup)
		if err := b.Set(b.key, b.val, nil); err != nil {
			return err
		}
	}
	return nil
}

// diff walks over the stored points of w, deletes those that w does not hold, and takes out of
// points those that are stored as they are.
func (b *batch) diff(w *window.Window, stored families, points map[string]int) error {
	if b.it == nil {
		it, err := pebbleOf(b.store).NewIter(nil)
		if err != nil {
			return err
		}
		b.it = it
	}
	var prefix []byte
	for f := range window.NumFamilies {
		if !stored.has(f) {
			continue
		}
		prefix = appendRollupKey(prefix[:0], &rollupKey{site: w.Site, kind: w.Kind, family: f, start: w.Start, shard: w.Shard})
		prefix = prefix[:len(prefix)-2*len(f.Dims())] // without the ends of empty values
		for ok := b.it.SeekGE(prefix); ok && bytes.HasPrefix(b.it.Key(), prefix); ok = b.it.Next() {
			i, held := points[string(b.it.Key())]
			if !held {
				if err := b.Delete(b.it.Key(), nil); err != nil {
					return err
				}
				continue
			}
			b.val = appendRollup(b.val[:0], w.Kind, w.Final, &w.Points[i].Rollup)
			v, err := b.it.ValueAndErr()
			if err != nil {
				return err
			}
			if bytes.Equal(v, b.val) {
				delete(points, string(b.it.Key()))
			}
		}
		if err := b.it.Error(); err != nil {
			return err
		}
	}
	return nil
}

func appendPointKey(dst []byte, w *window.Window, p *window.Point) []byte {
	return appendRollupKey(dst, &rollupKey{site: w.Site, kind: w.Kind, family: p.Family, start: w.Start, shard: w.Shard, dims: p.Dims})
}

func (b *batch) progress(ps []window.Progress) error {
	newest := make(map[int32]int64, len(ps))
	for i := range ps {
		p := &ps[i]
		b.key = appendProgressKey(b.key[:0], p.Partition)
		offset, ok := newest[p.Partition]
		if !ok {
			stored, known, err := b.storedProgress(b.key)
			if err != nil {
				return err
			}
			offset, ok = stored.Offset, known
		}
		if ok && p.Offset < offset {
			continue
		}
		newest[p.Partition] = p.Offset
		b.val = appendProgress(b.val[:0], p)
		if err := b.Set(b.key, b.val, nil); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) storedProgress(key []byte) (p window.Progress, known bool, err error) {
	v, closer, err := pebbleOf(b.store).Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	defer closer.Close()
	return p, true, decodeProgress(v, &p)
}
