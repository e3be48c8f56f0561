package local

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"
)

// A build from before there were sums of days writes windows and leaves the sums as they are. So each opening leaves its name
// in the store, and sums are taken for true only if the opening before this one has done that. Pebble writes a file of options at
// each opening, whose number grows: that is the name.

// openedKey holds the name of the last opening by a build that knows sums of days.
var openedKey = []byte{tableMeta, 'd', 'a', 'y', 's'}

// openingOf returns the name of the last opening of a folder; "" if there was none, or it can't be told.
func openingOf(o *Options) string {
	d, err := pebble.Peek(o.Dir, o.FS)
	if err != nil || d.OptionsFilename == "" {
		return ""
	}
	return o.FS.PathBase(d.OptionsFilename)
}

// trustDays takes away all sums of days if the opening before this one did not leave its name.
func (s *Store) trustDays(before, now string) error {
	known := false
	v, closer, err := pebbleOf(s).Get(openedKey)
	if err == nil {
		known = before != "" && bytes.Equal(v, []byte(before))
		err = closer.Close()
	}
	if err != nil && err != pebble.ErrNotFound {
		return damaged(err)
	}
	b := pebbleOf(s).NewBatch()
	defer b.Close()
	if !known {
		if err := b.DeleteRange([]byte{tableDay}, []byte{tableSummed + 1}, nil); err != nil {
			return err
		}
	}
	if err := b.Set(openedKey, []byte(now), nil); err != nil {
		return err
	}
	return damaged(b.Commit(pebble.NoSync))
}
