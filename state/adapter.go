package state

import (
	"errors"
	"fmt"
	"sync"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
)

// Table is a goka group table whose values are deltas: the journal. goka builds, opens and closes
// the stores of the partitions it owns through it; live deltas arrive through storage.Set,
// recovered ones through Update.
//
// It is not a key-value table: Get and iterators find nothing.
type Table struct {
	options func(partition int32) Options

	mu     sync.Mutex // guards stores
	stores map[int32]*Store
}

// NewTable returns a Table whose stores are opened with the options of their partition.
func NewTable(options func(partition int32) Options) *Table {
	return &Table{options: options, stores: map[int32]*Store{}}
}

// Store returns the open store of a partition.
func (t *Table) Store(partition int32) (*Store, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.stores[partition]
	return s, ok
}

// Builder is what goka calls for each partition it takes over.
func (t *Table) Builder(_ string, partition int32) (storage.Storage, error) {
	return &adapter{table: t, partition: partition}, nil
}

// Update is goka's UpdateCallback: one record of the changelog.
func (t *Table) Update(ctx goka.UpdateContext, _ storage.Storage, _ string, value []byte) error {
	s, ok := t.Store(ctx.Partition())
	if !ok {
		return fmt.Errorf("recover partition %d: %w", ctx.Partition(), ErrClosed)
	}
	return s.Recover(ctx.Offset(), value)
}

// Acked passes an acknowledgement on to the partition's store, if it is still open.
func (t *Table) Acked(partition int32, offset, position int64) {
	if s, ok := t.Store(partition); ok {
		s.Acked(offset, position)
	}
}

// Committed passes a committed offset on to the partition's store, if it is still open.
func (t *Table) Committed(partition int32, next int64) {
	if s, ok := t.Store(partition); ok {
		s.Committed(next)
	}
}

// adapter is the storage of one partition.
type adapter struct {
	table     *Table
	partition int32
	store     *Store
}

// Open opens the store and makes it the partition's. goka calls it when it begins to recover.
func (a *adapter) Open() error {
	s, err := Open(a.table.options(a.partition))
	if err != nil {
		return err
	}
	a.store = s
	a.table.mu.Lock()
	a.table.stores[a.partition] = s
	a.table.mu.Unlock()
	return nil
}

// Close closes the store, which is the partition's no longer. A successor in the same process may
// have opened its own by then: that one stays.
func (a *adapter) Close() error {
	if a.store == nil {
		return nil
	}
	a.table.mu.Lock()
	if a.table.stores[a.partition] == a.store {
		delete(a.table.stores, a.partition)
	}
	a.table.mu.Unlock()
	return a.store.Close()
}

// Set is a live delta. Its key only names the partition.
func (a *adapter) Set(_ string, value []byte) error {
	if a.store == nil {
		return ErrClosed
	}
	return a.store.Apply(value)
}

// GetOffset returns the position of the changelog up to which the store has read.
func (a *adapter) GetOffset(def int64) (int64, error) {
	if a.store == nil {
		return 0, ErrClosed
	}
	if p := a.store.Position(); p > 0 {
		return p - 1, nil
	}
	return def, nil
}

// SetOffset does nothing: the position moves with the batch that it belongs to (J5) and with Acked
// (J6).
func (a *adapter) SetOffset(int64) error { return nil }

// The methods below are those of a table of keys, which a journal is not: nothing is found, and
// what would change something is an error.

func (a *adapter) MarkRecovered() error                { return nil }
func (a *adapter) Has(string) (bool, error)            { return false, nil }
func (a *adapter) Get(string) ([]byte, error)          { return nil, nil }
func (a *adapter) Delete(string) error                 { return errors.New("a journal has no deletes") }
func (a *adapter) Iterator() (storage.Iterator, error) { return empty{}, nil }

func (a *adapter) IteratorWithRange(_, _ []byte) (storage.Iterator, error) { return empty{}, nil }

// empty is an iterator over nothing.
type empty struct{}

func (empty) Next() bool             { return false }
func (empty) Err() error             { return nil }
func (empty) Key() []byte            { return nil }
func (empty) Value() ([]byte, error) { return nil, nil }
func (empty) Release()               {}
func (empty) Seek([]byte) bool       { return false }
