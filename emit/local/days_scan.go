package local

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"millrace/engine/event"
	"millrace/engine/window"
)

// scanDays is Scan with the sums of days in [first, last), where there are some, and windows
// elsewhere. Days that have windows and no sums get some in the background.
func (s *Store) scanDays(ctx context.Context, sel window.Selection, first, last event.Time, fn func(start event.Time, final bool, p *window.Point) error) error {
	snapshot := pebbleOf(s).NewSnapshot()
	prefix := appendFamilyOf(nil, tableDay, sel.Site, sel.Kind, sel.Family)
	it, err := snapshot.NewIterWithContext(ctx, &pebble.IterOptions{
		LowerBound: appendTime(slices.Clone(prefix), first),
		UpperBound: appendTime(slices.Clone(prefix), last),
	})
	if err != nil {
		return closeIter(fmt.Errorf("scan days of %s of %s: %w", sel.Family, sel.Site, damaged(err)), snapshot)
	}
	c := &dayCursor{cursor: cursor{ctx: ctx, it: it, head: len(prefix), fn: fn}, from: snapshot, sel: sel, first: first, last: last}
	c.selectValues(sel)
	err = closeIter(closeIter(c.run(), it), snapshot)
	s.wish(c.missing)
	return err
}

// dayCursor is a scan of days under way.
type dayCursor struct {
	cursor
	from        *pebble.Snapshot
	sel         window.Selection
	first, last event.Time
	missing     []familyDay
}

// run visits the days that have sums and, between them, windows.
func (c *dayCursor) run() error {
	if c.selectsNone() {
		return nil
	}
	at := c.sel.From // where the scan stands
	ok := c.seekDay(c.first)
	for ok {
		key := c.it.Key()[c.head:]
		if len(key) < 9 {
			return damaged(fmt.Errorf("key %x: %w", c.it.Key(), errKey))
		}
		start := readTime(key)
		if start >= at {
			if err := c.windows(at, start); err != nil {
				return err
			}
			at = start + day
		}
		if err := c.chunk(start); err != nil {
			return err
		}
		ok = c.next(start)
	}
	if err := c.it.Error(); err != nil {
		return fmt.Errorf("scan days: %w", damaged(err))
	}
	return c.windows(at, c.sel.To)
}

// windows scans the windows of [from, to), and notes the whole days that have some.
func (c *dayCursor) windows(from, to event.Time) error {
	if from >= to {
		return c.ctx.Err()
	}
	sel := c.sel
	sel.From, sel.To = from, to
	noted := event.Time(-1 << 62)
	return scanWindows(c.ctx, c.from, sel, func(start event.Time, final bool, p *window.Point) error {
		if d := start.Floor(day); d != noted {
			noted = d
			if d >= c.first && d < c.last {
				c.missing = append(c.missing, familyDay{summedDay{sel.Site, sel.Kind, d}, sel.Family})
			}
		}
		return c.fn(start, final, p)
	})
}

// seekDay goes to the first chunk of a day or later ones that may have what is wanted.
func (c *dayCursor) seekDay(start event.Time) bool {
	if c.wanted[0] == nil && start == c.first {
		return c.it.First()
	}
	c.seek = appendTime(append(c.seek[:0], c.it0()...), start)
	if c.wanted[0] != nil {
		c.seek = appendValue(append(c.seek, chunkMore), c.wanted[0][0])
	}
	return c.it.SeekGE(c.seek)
}

// it0 is what all keys begin with.
func (c *dayCursor) it0() []byte {
	return appendFamilyOf(nil, tableDay, c.sel.Site, c.sel.Kind, c.sel.Family)
}

// next goes from a chunk of a day to the next that may have what is wanted.
func (c *dayCursor) next(start event.Time) bool {
	if c.wanted[0] == nil {
		return c.it.Next()
	}
	key := c.it.Key()
	rest := key[c.head+8:]
	if rest[0] == chunkLast {
		return c.seekDay(start + day)
	}
	value, _, err := cutValue(rest[1:])
	if err != nil {
		return c.it.Next() // the chunk has been read; what is wrong with its key is found there
	}
	i, _ := slices.BinarySearch(c.wanted[0], value)
	if i == len(c.wanted[0]) {
		return c.seekDay(start + day)
	}
	c.seek = appendValue(append(append(c.seek[:0], key[:c.head+8]...), chunkMore), c.wanted[0][i])
	if bytes.Compare(c.seek, key) <= 0 {
		return c.it.Next()
	}
	return c.it.SeekGE(c.seek)
}

// chunk visits the points of the chunk that the iterator stands at.
func (c *dayCursor) chunk(start event.Time) error {
	v, err := c.it.ValueAndErr()
	if err != nil {
		return damaged(err)
	}
	c.point.Family, c.point.Dims = c.sel.Family, [2]string{}
	var own error
	err = eachOf(v, c.sel.Kind, &c.point, func(final bool) error {
		if c.n++; c.n%checkEvery == 0 && c.ctx.Err() != nil {
			own = c.ctx.Err()
			return own
		}
		for i := range c.wanted {
			if c.wanted[i] != nil && !contains(c.wanted[i], c.point.Dims[i]) {
				return nil
			}
		}
		own = c.fn(start, final, &c.point)
		return own
	})
	if err != nil && own == nil {
		return damaged(fmt.Errorf("value of key %x: %w", c.it.Key(), err))
	}
	return err
}
