package rules

import (
	"context"

	"millrace/emit/lake"
	"millrace/engine/event"
	"millrace/internal/blob"
)

// replayedNote is the archive's note that a replay has changed rollups.
const replayedNote = "replayed"

// LeaveReplayed notes that a replay is about to change rollups: from then on they are of another generation than the archive's hits, which
// the stream has made by the rules of their time.
func LeaveReplayed(ctx context.Context, store blob.Store) error {
	return lake.PutNote(ctx, store, replayedNote, "")
}

// AlikeSince returns the time from which on the rollups and the hits of an archive are of one generation: since when all is counted by
// what is counted by now. False: it is not known, or rollups have been replayed.
func AlikeSince(ctx context.Context, store blob.Store) (since event.Time, ok bool, err error) {
	if _, replayed, err := lake.NewReader(store).Note(ctx, replayedNote); err != nil || replayed {
		return 0, false, err
	}
	c, found, err := LoadCounting(ctx, store)
	if c.Since > 0 {
		c.Since += settles
	}
	return c.Since, found, err
}

// settles is how long visits may go on that were counted by something else: the longest, and some slack.
const settles = 14 * event.Hour
