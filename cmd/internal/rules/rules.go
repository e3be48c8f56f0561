package rules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"millrace/emit/lake"
	"millrace/engine"
	"millrace/internal/blob"
)

// WatchEvery is how often a serve compares what is kept with its own rules.
const WatchEvery = time.Minute

// errUnreadable is wrapped by the error for rules that this build can't read.
var errUnreadable = errors.New("the rules that serve has left can't be read")

// Load returns the rules that the stream of an archive is counted by, the defaults where no serve
// has left any.
func Load(ctx context.Context, store blob.Store) (engine.Rules, error) {
	r, _, err := load(ctx, store)
	if errors.Is(err, errUnreadable) {
		return r, fmt.Errorf("%w; serve writes them anew when it starts; without them, once the object is deleted, "+
			"the defaults hold", err)
	}
	if err != nil {
		return r, fmt.Errorf("read the rules that serve has left: %w", err)
	}
	return r, nil
}

// load is Load; found is whether there are any.
func load(ctx context.Context, store blob.Store) (r engine.Rules, found bool, err error) {
	l := lake.NewReader(store)
	text, err := l.Rules(ctx)
	switch {
	case errors.Is(err, lake.ErrRules):
		return r, false, fmt.Errorf("%w: %w", errUnreadable, err)
	case err != nil:
		return r, false, err
	case text == nil:
		return engine.Rules{}.WithDefaults(), false, nil
	}
	if r, err = engine.DecodeRules(text); err != nil {
		return r, false, fmt.Errorf("%w: %s: %w", errUnreadable, l.RulesName(), err)
	}
	return r, true, nil
}

// Leave writes a serve's own rules, unless they are kept already.
func Leave(ctx context.Context, store blob.Store, own engine.Rules) error {
	kept, found, err := load(ctx, store)
	if err != nil && !errors.Is(err, errUnreadable) {
		return fmt.Errorf("read the rules of the stream: %w", err)
	}
	if found && bytes.Equal(engine.EncodeRules(kept), engine.EncodeRules(own)) {
		return nil
	}
	return put(ctx, store, own)
}

// Hold puts a serve's own lateness back if a smaller one is kept, and its rules if none are.
func Hold(ctx context.Context, store blob.Store, own engine.Rules) error {
	kept, found, err := load(ctx, store)
	switch {
	case err != nil && !errors.Is(err, errUnreadable):
		return fmt.Errorf("read the rules of the stream: %w", err)
	case !found:
		return put(ctx, store, own)
	case kept.Lateness >= own.WithDefaults().Lateness:
		return nil
	}
	kept.Lateness = own.WithDefaults().Lateness
	return put(ctx, store, kept)
}

func put(ctx context.Context, store blob.Store, r engine.Rules) error {
	if err := lake.PutRules(ctx, store, engine.EncodeRules(r)); err != nil {
		return fmt.Errorf("leave the rules of the stream: %w", err)
	}
	return nil
}

// Watch keeps the larger lateness, until ctx ends. A store that is away is tried again; the first
// error of several in a row is logged.
func Watch(ctx context.Context, store blob.Store, own engine.Rules, log *slog.Logger) {
	t := time.NewTicker(WatchEvery)
	defer t.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		err := Hold(ctx, store, own)
		if err != nil && !failing && ctx.Err() == nil {
			log.Warn("the rules of the stream are not kept with the archive, so replay and import may count by others", "err", err)
		}
		failing = err != nil
	}
}
