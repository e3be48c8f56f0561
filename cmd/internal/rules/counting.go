package rules

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"millrace/cmd/internal/datadir"
	"millrace/emit/lake"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/internal/blob"
)

// Counting is what the stream of an archive is counted by beside numbers: the build and what is
// configured of the sites.
type Counting struct {
	// By names it; two that are the same count the same.
	By string `json:"by"`
	// Since is when a serve began to count by it, by its clock. 0: nothing was counted by
	// anything else.
	Since event.Time `json:"since"`
	// Rules are the engine's rules at that time, encoded.
	Rules string `json:"rules"`
}

// countingNote is the archive's note of Counting, and countedFile the data folder's: what the last
// serve on it counted by.
const (
	countingNote = "counting"
	countedFile  = "counted-by"
)

// LeaveCounting leaves with an archive what this serve, which has the role process, counts by from
// now on. Since moves only if it is something else than the archive or the data folder has: of
// several serves that are restarted with a new build one after the other, the last one sets it.
func LeaveCounting(ctx context.Context, store blob.Store, dir *datadir.Dir, by string, own engine.Rules, now event.Time) error {
	l := lake.NewReader(store)
	old, err := os.ReadFile(filepath.Join(dir.Path(), countedFile))
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		return fmt.Errorf("read what was counted by: %w", err)
	}
	kept, found, err := LoadCounting(ctx, store)
	if err != nil && !errors.Is(err, errUnreadable) {
		return err
	}
	c := Counting{By: by, Since: now, Rules: string(engine.EncodeRules(own))}
	if !found && fresh {
		// An archive that is empty is counted by nothing else.
		all, err := l.Progress(ctx)
		if err != nil {
			return fmt.Errorf("read the archive's progress: %w", err)
		}
		if len(all) == 0 {
			c.Since = 0
		}
	}
	mark := []byte(c.By + "\n" + c.Rules + "\n")
	if !found || kept.By != c.By || kept.Rules != c.Rules || !fresh && !bytes.Equal(old, mark) {
		if err := PutCounting(ctx, store, c); err != nil {
			return err
		}
	}
	if !bytes.Equal(old, mark) {
		return dir.Write(countedFile, mark)
	}
	return nil
}

// PutCounting writes what the stream of an archive is counted by, whatever was kept before: for one
// of which the caller knows it.
func PutCounting(ctx context.Context, store blob.Store, c Counting) error {
	text, err := json.Marshal(c)
	if err == nil {
		err = lake.PutNote(ctx, store, countingNote, string(text))
	}
	if err != nil {
		return fmt.Errorf("leave what the stream is counted by: %w", err)
	}
	return nil
}

// LoadCounting returns what the stream of an archive is counted by; false if no serve has left it.
func LoadCounting(ctx context.Context, store blob.Store) (c Counting, found bool, err error) {
	text, found, err := lake.NewReader(store).Note(ctx, countingNote)
	if errors.Is(err, lake.ErrNote) {
		return c, false, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if err != nil || !found {
		return c, false, err
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, false, fmt.Errorf("%w: what the stream is counted by: %w", errUnreadable, err)
	}
	return c, true, nil
}
