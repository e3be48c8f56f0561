package local

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"millrace/engine/event"
	"millrace/engine/window"
)

// checkEvery is how many points pass between two looks at the context.
const checkEvery = 4096

// Scan calls fn for each point of the selection, in ascending order of start; final is whether the
// point's window was final when it was written. With more than one shard there may be several
// points of one start and value. With Selection.Days a point may be that of a whole day. The point is valid during the call only. An error of fn ends the
// scan and is returned as it is.
func (s *Store) Scan(ctx context.Context, sel window.Selection, fn func(start event.Time, final bool, p *window.Point) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if sel.From >= sel.To {
		return ctx.Err()
	}
	if from, to := wholeDays(sel.From, sel.To); sel.Days && from < to {
		return s.scanDays(ctx, sel, from, to, fn)
	}
	return scanWindows(ctx, pebbleOf(s), sel, fn)
}

// scanWindows is Scan of windows as they were written.
func scanWindows(ctx context.Context, from pebble.Reader, sel window.Selection, fn func(start event.Time, final bool, p *window.Point) error) error {
	prefix := appendFamily(nil, sel.Site, sel.Kind, sel.Family)
	it, err := from.NewIterWithContext(ctx, &pebble.IterOptions{
		LowerBound: appendTime(slices.Clone(prefix), sel.From),
		UpperBound: appendTime(slices.Clone(prefix), sel.To),
	})
	if err != nil {
		return fmt.Errorf("scan %s of %s: %w", sel.Family, sel.Site, damaged(err))
	}
	c := &cursor{it: it, head: len(prefix), fn: fn, ctx: ctx}
	c.selectValues(sel)
	return closeIter(c.run(), it)
}

// cursor is a scan under way.
type cursor struct {
	ctx  context.Context
	it   *pebble.Iterator
	fn   func(event.Time, bool, *window.Point) error
	head int // length of what all keys begin with: table, site, kind, family
	// wanted holds the values of the selection, sorted, by position; nil is any.
	wanted [2][]string
	seek   []byte
	point  window.Point
	n      int
}

// nextsBeforeSeek is how many keys are stepped over before seeking. A seek costs as much as some
// tens of steps, and most minutes hold few values: 64 scans minutes of 28 values in a third of the
// time that 16 takes, 128 in no less.
const nextsBeforeSeek = 64

// groupLen is the length of start and shard in a key.
const groupLen = 10

func (c *cursor) selectValues(sel window.Selection) {
	for i := range sel.Family.Dims() {
		if v := sel.Values[i]; v != nil {
			c.wanted[i] = slices.Compact(slices.Sorted(slices.Values(v)))
		}
	}
}

// selectsNone reports whether the selection has a list of no values.
func (c *cursor) selectsNone() bool {
	return c.wanted[0] != nil && len(c.wanted[0]) == 0 || c.wanted[1] != nil && len(c.wanted[1]) == 0
}

// run visits the points. Where the selection has values it seeks from one to the next instead of
// reading what lies between: the first values decide, those of the second position are compared.
func (c *cursor) run() error {
	if c.selectsNone() {
		return nil
	}
	ok := c.it.First()
	for ok {
		if c.n++; c.n%checkEvery == 0 && c.ctx.Err() != nil {
			return c.ctx.Err()
		}
		var k rollupKey
		if err := decodeRollupKey(c.it.Key(), &k); err != nil {
			return damaged(fmt.Errorf("key %x: %w", c.it.Key(), err))
		}
		if c.wanted[0] != nil {
			i, found := slices.BinarySearch(c.wanted[0], k.dims[0])
			if !found {
				ok = c.skip(i)
				continue
			}
		}
		if c.wanted[1] != nil && !contains(c.wanted[1], k.dims[1]) {
			ok = c.it.Next()
			continue
		}
		if err := c.visit(&k); err != nil {
			return err
		}
		ok = c.it.Next()
	}
	if err := c.it.Error(); err != nil {
		return fmt.Errorf("scan: %w", damaged(err))
	}
	return c.ctx.Err()
}

// skip seeks to the i-th value wanted of the present start and shard or, past the last, to the
// first one of the shard or start that follows.
func (c *cursor) skip(i int) bool {
	key := c.it.Key()
	c.seek = append(c.seek[:0], key[:c.head+groupLen]...)
	if i == len(c.wanted[0]) {
		i = 0
		group := c.seek[c.head:]
		shard := binary.BigEndian.Uint16(group[8:]) + 1
		binary.BigEndian.PutUint16(group[8:], shard)
		if shard == 0 {
			binary.BigEndian.PutUint64(group, binary.BigEndian.Uint64(group)+1)
		}
	}
	c.seek = appendValue(c.seek, c.wanted[0][i])
	for range nextsBeforeSeek {
		if !c.it.Next() {
			return false
		}
		if bytes.Compare(c.it.Key(), c.seek) >= 0 {
			return true
		}
	}
	return c.it.SeekGE(c.seek)
}

func (c *cursor) visit(k *rollupKey) error {
	v, err := c.it.ValueAndErr()
	if err != nil {
		return damaged(err)
	}
	c.point.Family, c.point.Dims = k.family, k.dims
	final, err := decodeRollup(v, k.kind, &c.point.Rollup)
	if err != nil {
		return damaged(fmt.Errorf("value of key %x: %w", c.it.Key(), err))
	}
	return c.fn(k.start, final, &c.point)
}

func contains(sorted []string, s string) bool {
	_, ok := slices.BinarySearch(sorted, s)
	return ok
}

// Sites returns the sites that have rollups, sorted.
func (s *Store) Sites(ctx context.Context) ([]string, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	it, err := pebbleOf(s).NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: []byte{tableRollup}, UpperBound: []byte{tableRollup + 1}})
	if err != nil {
		return nil, fmt.Errorf("list sites: %w", damaged(err))
	}
	var sites []string
	var seek []byte
	for ok := it.First(); ok; ok = it.SeekGE(seek) {
		site, _, err := cutSite(it.Key()[1:])
		if err != nil {
			return nil, closeIter(fmt.Errorf("list sites: %w", damaged(err)), it)
		}
		sites = append(sites, strings.Clone(site))
		seek = append(append(append(seek[:0], tableRollup), site...), 1) // behind all keys of the site
	}
	if err := closeIter(it.Error(), it); err != nil {
		return nil, fmt.Errorf("list sites: %w", damaged(err))
	}
	return sites, ctx.Err()
}

// Progress returns the last progress of each partition, by partition.
func (s *Store) Progress(ctx context.Context) ([]window.Progress, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	it, err := pebbleOf(s).NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: []byte{tableProgress}, UpperBound: []byte{tableProgress + 1}})
	if err != nil {
		return nil, fmt.Errorf("read progress: %w", damaged(err))
	}
	var ps []window.Progress
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var p window.Progress
		if p.Partition, err = decodeProgressKey(it.Key()); err == nil {
			err = decodeProgress(it.Value(), &p)
			ps = append(ps, p)
		}
	}
	if err == nil {
		err = it.Error()
	}
	if err := closeIter(err, it); err != nil {
		return nil, fmt.Errorf("read progress: %w", damaged(err))
	}
	return ps, ctx.Err()
}

// Fired returns the windows of a kind, site and start, one a shard, without points, with the
// version of the last firing.
func (s *Store) Fired(ctx context.Context, k window.Kind, site string, start event.Time) (ws []window.Window, err error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	key := appendWindowKey(nil, &window.Window{Kind: k, Site: site, Start: start, Shard: math.MaxUint16})
	first := appendWindowKey(nil, &window.Window{Kind: k, Site: site, Start: start})
	it, err := pebbleOf(s).NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: first, UpperBound: append(key, 0)})
	if err != nil {
		return nil, fmt.Errorf("read versions: %w", damaged(err))
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var w window.Window
		var v version
		if err = decodeWindowKey(it.Key(), &w); err == nil {
			v, err = decodeVersion(it.Value())
		}
		w.Site, w.Version = site, v.version
		ws = append(ws, w)
	}
	if err == nil {
		err = it.Error()
	}
	if err := closeIter(err, it); err != nil {
		return nil, fmt.Errorf("read versions: %w", damaged(err))
	}
	return ws, ctx.Err()
}

// Versions calls fn for each window there is, of all kinds, without its points: with the version of
// the last firing. It is valid during the call only.
func (s *Store) Versions(ctx context.Context, fn func(w *window.Window)) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	it, err := pebbleOf(s).NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: []byte{tableWindow}, UpperBound: []byte{tableWindow + 1}})
	if err != nil {
		return fmt.Errorf("read versions: %w", damaged(err))
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var w window.Window
		var v version
		if err = decodeWindowKey(it.Key(), &w); err == nil {
			v, err = decodeVersion(it.Value())
		}
		if err == nil {
			w.Version = v.version
			fn(&w)
		}
	}
	if err == nil {
		err = it.Error()
	}
	if err := closeIter(err, it); err != nil {
		return fmt.Errorf("read versions: %w", damaged(err))
	}
	return ctx.Err()
}
