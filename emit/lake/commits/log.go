package commits

import (
	"context"
	"errors"
)

// Log is a partition of the topic of commits: Kafka's is Topics.Partition.
type Log interface {
	// Bounds returns the offset of the first record that is there, and the one behind the last.
	Bounds(ctx context.Context) (start, end int64, err error)
	// Append writes a record and returns its offset. After an error it is not known whether the record is there, or will be.
	Append(ctx context.Context, record []byte) (offset int64, err error)
	// Read calls fn for the records from an offset up to another, which is not read, in their order; it waits for those that are
	// acknowledged and can't be read yet. An error of fn ends it and is returned. The record is valid during the call. A log that
	// begins behind from is ErrTrimmed.
	Read(ctx context.Context, from, to int64, fn func(offset int64, record []byte) error) error
	// Trim deletes the records before an offset.
	Trim(ctx context.Context, before int64) error
}

// ErrTrimmed is returned by Log.Read for records that are not there any more.
var ErrTrimmed = errors.New("the log of commits begins later")
