package offline

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"millrace/emit/lake"
	"millrace/internal/blob"
)

// busyNote begins the names of the notes that commands leave in the archive while they change it or
// the rollup store. Such a command may run on another machine, beside any number of serves; what
// they compare meanwhile says nothing.
const busyNote = "busy."

const (
	// busyEvery is how often a command renews its note, busyFor how long one is good.
	busyEvery = time.Minute
	busyFor   = 5 * time.Minute
	// busyKept is when others remove the note of a command that was killed.
	busyKept = 24 * time.Hour
	// busyEnd bounds the removal of a note.
	busyEnd = 5 * time.Second
)

// busy is the text of such a note.
type busy struct {
	What string    `json:"what"`
	At   time.Time `json:"at"` // of the last renewal; zero: it is over
}

// hold leaves a note that a command is at work, and renews it until release is called or ctx ends.
// There is none where nobody else can look, since all is in the data folder that is locked, nor
// where the archive can't be written to, a copy for instance.
func (s *Session) hold(ctx context.Context, what string) (release func()) {
	if s.locked && !s.bucket && s.Stores.Influx == nil {
		return func() {}
	}
	store := s.Stores.Lake
	_ = dropBusy(ctx, store)
	name := busyNote + strings.ToLower(rand.Text())
	put := func(ctx context.Context, at time.Time) error {
		text, err := json.Marshal(busy{what, at})
		if err != nil {
			return err
		}
		return lake.PutNote(ctx, store, name, string(text))
	}
	if put(ctx, time.Now()) != nil {
		return func() {}
	}
	running, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(busyEvery)
		defer t.Stop()
		for {
			select {
			case <-running.Done():
				return
			case <-t.C:
				_ = put(running, time.Now()) // the next one may do
			}
		}
	}()
	return sync.OnceFunc(func() {
		cancel()
		<-done
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), busyEnd)
		defer cancel()
		if lake.DeleteNote(ctx, store, name) != nil { // some may put and not delete
			_ = put(ctx, time.Time{})
		}
	})
}

// Busy returns what a command that is at work on the archive does, "" if there is none.
func Busy(ctx context.Context, store blob.Store) (what string, err error) {
	err = eachBusy(ctx, store, func(_ string, b busy) {
		if time.Since(b.At).Abs() < busyFor {
			what = b.What
		}
	})
	return what, err
}

// dropBusy removes the notes of commands that were killed long ago.
func dropBusy(ctx context.Context, store blob.Store) error {
	var old []string
	err := eachBusy(ctx, store, func(name string, b busy) {
		if time.Since(b.At).Abs() > busyKept {
			old = append(old, name)
		}
	})
	for _, name := range old {
		err = errors.Join(err, lake.DeleteNote(ctx, store, name))
	}
	return err
}

func eachBusy(ctx context.Context, store blob.Store, fn func(name string, b busy)) error {
	l := lake.NewReader(store)
	names, err := l.Notes(ctx, busyNote)
	if err != nil {
		return err
	}
	for _, name := range names {
		text, found, err := l.Note(ctx, name)
		if err != nil && !errors.Is(err, lake.ErrNote) {
			return fmt.Errorf("read who is at work on the archive: %w", err)
		}
		var b busy
		if found && json.Unmarshal([]byte(text), &b) == nil {
			fn(name, b)
		}
	}
	return nil
}
