package lake

import (
	"context"
	"errors"
	"time"

	"millrace/emit/lake/commits"
	"millrace/engine/event"
	"millrace/engine/hits"
)

// Ledger makes hits, joins and visits of a partition's log: package engine's.
type Ledger interface {
	// Step takes the next record and gives s what comes of it. An error means that the record can't be read.
	Step(offset int64, value []byte, s hits.Sink) error
	// StepDecoded is Step for a record that has been decoded, into env, or could not be, and dead says why. env is read during the call
	// only.
	StepDecoded(offset int64, env *event.Envelope, dead error, s hits.Sink) error
	// Last returns the offset of the last record, or -1.
	Last() int64
	// Watermark returns the event time up to which the input is complete; 0 if that is not known yet.
	Watermark() event.Time
	// Checkpoint appends what has changed since the checkpoint before, and ends it.
	Checkpoint(dst []byte) []byte
	// Load goes on after the last of the checkpoints. It is called before any Step.
	Load(checkpoints [][]byte) error
}

// HitsOptions are what an Archiver writes hits and visits with. All fields but Settle, Merges and Grace are required.
type HitsOptions struct {
	// NewLedger returns what makes hits of a partition's log, by the rules that the stream counts by. It is before the log's
	// first record.
	NewLedger func(partition int32) Ledger
	// Rules name what NewLedger's Ledgers make hits by. It is a part of files' names.
	Rules string
	// Head returns what the head of a checkpoint says; Key and Size stay empty.
	Head func(checkpoint []byte) (commits.Checkpoint, error)
	// Commits returns the log of commits of a partition.
	Commits func(partition int32) commits.Log
	// Records calls f with the records of a partition of the topic of events from an offset up to another, which is not read, in
	// their order. An error of f ends it and is returned. A value is valid during the call.
	Records func(ctx context.Context, partition int32, from, to int64, f func(offset int64, value []byte) error) error
	// Settle is how much later than the watermark hits become whole that are made from the middle of the log on: the longest
	// visit and the lateness of events. 13 hours by default.
	Settle event.Time
	// Merges are how files are merged.
	Merges MergeOptions
	// Grace is how long files that were replaced stay, for queries that have begun before: as long as the longest of them. An hour
	// by default.
	Grace time.Duration
}

func (o *HitsOptions) validate() (bad []string) {
	need := func(ok bool, what string) {
		if !ok {
			bad = append(bad, what)
		}
	}
	need(o.NewLedger != nil, "no ledger for hits")
	need(o.Head != nil, "no reader of heads of checkpoints")
	need(o.Commits != nil, "no commits for hits")
	need(o.Records != nil, "no way to read back the log for hits")
	need(o.Rules != "", "no name of the rules of hits")
	need(o.Settle >= 0, "hits can't settle before they begin")
	need(o.Grace >= 0, "files of hits that were replaced can't be deleted before that")
	return append(bad, o.Merges.validate()...)
}

// HitStats are counters of hits since New.
type HitStats struct {
	Hits      int64 // in files that a commit counts with
	Visits    int64 // visits and joins, likewise
	Objects   int64 // files uploaded, of hits, visits and checkpoints
	Bytes     int64 // of these
	Commits   int64 // that counted
	Passed    int64 // that did not count, because another owner's came first
	CaughtUp  int64 // records read back from the log
	Anew      int64 // how often hits of a partition were begun anew
	Merges    int64 // that counted
	MergesOff int64 // that were dropped, because what they merge is not there any more

	MergesFailed int64 // that could not be made
	MergedFiles  int64 // that merges were made of
	MergedRows   int64 // of merges that were made
	MergedBytes  int64 // likewise
	Swept        int64 // files deleted, which merges had replaced or nothing named
}

// errPassed ends a catching up at a commit that did not count.
var errPassed = errors.New("another owner has committed")
