package emit

import (
	"context"
	"time"

	"millrace/engine/window"
)

// Sink is a rollup store as a Consumer sees it. Its methods are called by one Consumer at a time;
// CheckWindow by several goroutines, WriteBatch by one.
type Sink interface {
	// Intake returns how the sink wants its batches. It returns the same at each call.
	Intake() Intake
	// CheckWindow reports why a window can never be stored. The window's record becomes a dead
	// letter.
	CheckWindow(w *window.Window) error
	// Rebalanced is called when partitions have come or gone: another process may have written
	// their windows, and what the sink remembers of them is void.
	Rebalanced(ctx context.Context)
	// WriteBatch stores a batch and returns when all of it is durable. It may repeat what fails for
	// as long as ctx lasts. An error stops the Consumer, which commits nothing of the batch and
	// reads it again in its next run. Stale is the number of windows that were left out because a
	// newer version is stored.
	WriteBatch(ctx context.Context, b Batch) (stale int, err error)
}

// Batch is what a Sink stores in one go.
type Batch struct {
	// Windows are in the order of their partitions.
	Windows []*window.Window
	// Progress speaks of windows that came before it: it must not be visible before they are.
	Progress []window.Progress
	// Fence reports that this process stood still, so that its partitions may have another owner. A
	// sink that other processes write to calls it before each request, and returns its error.
	Fence func() error
}

// Intake is how a Sink wants its batches.
type Intake struct {
	// Group is the consumer group that holds the sink's offsets. Required.
	Group string
	// Linger is how long the first record of a batch waits for others. 0 waits for none: a batch is
	// what has gathered while the one before was written.
	Linger time.Duration
	// MaxRecords and MaxBytes end a batch; one record may be larger. 0 is no bound.
	MaxRecords int
	MaxBytes   int64
	// MaxPending bounds the records that have been read and not been written, in bytes. One record
	// may be larger. Required.
	MaxPending int64
	// Finish makes the Consumer write what it has read, even if the partition is taken away or Run
	// is told to end. It is for a sink that no other process writes to and that waits for no other
	// system. Without it such records are given up unwritten, for the partition's next owner to
	// read again.
	Finish bool
}
