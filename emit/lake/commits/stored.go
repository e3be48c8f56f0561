package commits

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"millrace/internal/blob"
)

// ImportsTopic is what stands for the topic of events in the chain of imported files, whose Partition is 0. There is no such topic: a
// chain of it has a StoredLog.
const ImportsTopic = "imports"

// StoredLog is a Log of objects in the archive, for a chain that is written now and then and where there may be no Kafka:
//
//	hits/imports-0/_commits/OFFSET.json
//
// An offset is taken by putting its object where there is none (blob.PutNew). Where the server of the archive lets two believe that they
// have, the one whose object was replaced finds it when he reads it back, or his entry of the published form there.
type StoredLog struct {
	store blob.Store
	dir   string
}

// NewStoredLog returns the log of a partition's chain.
func NewStoredLog(store blob.Store, topic string, partition int32) *StoredLog {
	return &StoredLog{store, Dir(Hits, topic, partition) + "_commits/"}
}

var storedForm = regexp.MustCompile(`/_commits/(\d{20})\.json$`)

func (l *StoredLog) key(offset int64) string { return fmt.Sprintf("%s%020d.json", l.dir, offset) }

// Bounds implements Log.
func (l *StoredLog) Bounds(ctx context.Context) (start, end int64, err error) {
	start = none
	for info, err := range l.store.List(ctx, l.dir, "") {
		if err != nil {
			return 0, 0, err
		}
		if v, ok := versionOf(storedForm, info.Key); ok {
			if start == none {
				start = v
			}
			end = v + 1
		}
	}
	return max(start, 0), end, nil
}

// Append implements Log.
func (l *StoredLog) Append(ctx context.Context, record []byte) (offset int64, err error) {
	_, offset, err = l.Bounds(ctx)
	for ; err == nil; offset++ {
		var put bool
		if put, err = blob.PutNew(ctx, l.store, l.key(offset), record); put && err == nil {
			return offset, nil
		}
	}
	return 0, err
}

// Read implements Log.
func (l *StoredLog) Read(ctx context.Context, from, to int64, fn func(offset int64, record []byte) error) error {
	for ; from < to; from++ {
		record, err := l.store.Get(ctx, l.key(from))
		if errors.Is(err, blob.ErrNotFound) {
			start, _, err := l.Bounds(ctx)
			if err == nil && start > from {
				err = ErrTrimmed
			}
			if err == nil {
				err = fmt.Errorf("%w: record %q is not there, and later ones are", ErrLog, l.key(from))
			}
			return err
		}
		if err != nil {
			return err
		}
		if err := fn(from, record); err != nil {
			return err
		}
	}
	return nil
}

// Trim implements Log.
func (l *StoredLog) Trim(ctx context.Context, before int64) error {
	for info, err := range l.store.List(ctx, l.dir, "") {
		if err != nil {
			return err
		}
		if v, ok := versionOf(storedForm, info.Key); ok && v >= before {
			return nil
		}
		if err := l.store.Delete(ctx, info.Key); err != nil {
			return err
		}
	}
	return nil
}
