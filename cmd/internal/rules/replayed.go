package rules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"millrace/emit/lake"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/internal/blob"
)

// replayedNote is the archive's note that a replay has changed rollups, with the time that it was of. Builds before left it empty.
const replayedNote = "replayed"

// span is a time, [From, Until).
type span struct {
	From  event.Time `json:"from"`
	Until event.Time `json:"until"`
}

func (s *span) covers(t *span) bool { return s.From <= t.From && t.Until <= s.Until }

// LeaveReplayed notes that rollups of a time, [from, until), are about to change: from then on they are of another generation than the archive's
// hits, which were made by the rules of their time. 0 is the beginning, and now.
func LeaveReplayed(ctx context.Context, store blob.Store, from, until event.Time) error {
	now := event.TimeOf(time.Now())
	if until == 0 {
		until = now
	}
	of := span{from, until}
	old, found, err := loadReplayed(ctx, store, now)
	if err != nil {
		return err
	}
	if found {
		of = span{min(of.From, old.From), max(of.Until, old.Until)}
	}
	return leave(ctx, store, replayedNote, of)
}

// loadReplayed returns the time of which rollups were replayed.
func loadReplayed(ctx context.Context, store blob.Store, now event.Time) (s span, found bool, err error) {
	text, found, err := lake.NewReader(store).Note(ctx, replayedNote)
	if err != nil && !errors.Is(err, lake.ErrNote) {
		return s, false, err
	}
	if json.Unmarshal([]byte(text), &s) != nil { // all that there is by now
		s = span{0, now}
	}
	return s, found || err != nil, nil
}

func leave(ctx context.Context, store blob.Store, name string, what any) error {
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return lake.PutNote(ctx, store, name, string(text))
}

// recounted is what rollups and hits were counted again by, together.
type recounted struct {
	span
	By    string `json:"by"`
	Rules string `json:"rules"`
}

// recountedNote is the archive's note of the last such time.
const recountedNote = "recounted"

// LeaveRecounted notes that rollups and hits of a time were counted again together, by what By names (CountedBy) and these rules: they are of one
// generation, whatever was replayed of that time before.
func LeaveRecounted(ctx context.Context, store blob.Store, from, to event.Time, by string, own engine.Rules) error {
	of := recounted{span{from, to}, by, string(engine.EncodeRules(own))}
	old, found, err := loadRecounted(ctx, store)
	if err != nil {
		return err
	}
	if found && old.By == of.By && old.Rules == of.Rules && old.From <= of.Until && of.From <= old.Until {
		of.span = span{min(of.From, old.From), max(of.Until, old.Until)}
	}
	if err := leave(ctx, store, recountedNote, of); err != nil {
		return err
	}
	replayed, found, err := loadReplayed(ctx, store, event.TimeOf(time.Now()))
	if err == nil && found && of.covers(&replayed) {
		err = lake.DeleteNote(ctx, store, replayedNote)
	}
	return err
}

func loadRecounted(ctx context.Context, store blob.Store) (r recounted, found bool, err error) {
	text, found, err := lake.NewReader(store).Note(ctx, recountedNote)
	if err != nil && !errors.Is(err, lake.ErrNote) {
		return r, false, fmt.Errorf("read what was counted again: %w", err)
	}
	return r, found && json.Unmarshal([]byte(text), &r) == nil, nil
}

// AlikeSince returns the time from which on the rollups and the hits of an archive are of one generation: since when all is counted by
// what is counted by now, or from where on it was counted again by that. False: it is not known, or rollups have been replayed since.
func AlikeSince(ctx context.Context, store blob.Store) (since event.Time, ok bool, err error) {
	if _, replayed, err := lake.NewReader(store).Note(ctx, replayedNote); err != nil || replayed {
		return 0, false, err
	}
	c, found, err := LoadCounting(ctx, store)
	if err != nil || !found {
		return 0, false, err
	}
	if c.Since == 0 {
		return 0, true, nil
	}
	since = c.Since + settles
	r, again, err := loadRecounted(ctx, store)
	if again && r.By == c.By && r.Rules == c.Rules && since <= r.Until {
		since = r.From
	}
	return since, err == nil, err
}

// settles is how long visits may go on that were counted by something else: the longest, and some slack.
const settles = 14 * event.Hour
