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

// DeleteBefore deletes the windows of a site that start before a time, with their points and versions,
// and reports whether there were any. A window that is written again afterwards is stored again.
//
// Little else deletes by range. Here a site has at most two tombstones for each kind and family a day, and
// only if there is something to delete, and it lies where few scans go.
func (s *Store) DeleteBefore(ctx context.Context, site string, before event.Time) (deleted bool, err error) {
	if err := s.enter(); err != nil {
		return false, err
	}
	defer s.leave()
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := ctx.Err(); err != nil {
		return false, err
	}
	b := pebbleOf(s).NewBatch()
	defer func() { err = closeIter(err, b) }()
	for k := range window.NumKinds {
		any, err := deleteKind(s, b, site, k, before)
		if err != nil {
			return false, fmt.Errorf("delete the windows of %s before %s: %w", site, before, damaged(err))
		}
		deleted = deleted || any
	}
	if !deleted {
		return false, nil
	}
	if err := b.Commit(s.write); err != nil {
		return false, fmt.Errorf("delete the windows of %s before %s: %w", site, before, err)
	}
	return true, nil
}

// deleteKind adds to a batch what deletes the windows of a kind. Where there are points there are windows.
func deleteKind(s *Store, b *pebble.Batch, site string, k window.Kind, before event.Time) (deleted bool, err error) {
	windows := append(appendSite([]byte{tableWindow}, site), byte(k))
	from, to := ends(windows, before)
	it, err := pebbleOf(s).NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return false, err
	}
	found := it.First()
	if err := closeIter(it.Error(), it); err != nil || !found {
		return false, err
	}
	if err := b.DeleteRange(from, to, nil); err != nil {
		return false, err
	}
	for f := range window.NumFamilies {
		if !f.In(k) {
			continue
		}
		from, to := ends(appendFamily(nil, site, k, f), before)
		if err := b.DeleteRange(from, to, nil); err != nil {
			return false, err
		}
	}
	return true, unsumBefore(s, b, site, k, before)
}

// ends returns the keys [from, to) that begin with a prefix and a time before another.
func ends(prefix []byte, before event.Time) (from, to []byte) {
	return bytes.Clone(prefix), appendTime(slices.Clone(prefix), before)
}
