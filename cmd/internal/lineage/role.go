package lineage

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"millrace/engine/delta"
	"millrace/state"
)

// watchEvery is how often the log is looked at while roles run.
const watchEvery = 3 * time.Second

// refusals stops roles for good. Its zero value is ready.
type refusals struct {
	mu      sync.Mutex // guards what follows
	why     error
	cancels map[*context.CancelCauseFunc]struct{}
}

// stop ends every role that runs, and those that start later.
func (r *refusals) stop(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.why != nil {
		return
	}
	r.why = why
	for cancel := range r.cancels {
		(*cancel)(why)
	}
}

// context is ctx until stop.
func (r *refusals) context(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.why != nil {
		cancel(r.why)
	}
	if r.cancels == nil {
		r.cancels = map[*context.CancelCauseFunc]struct{}{}
	}
	r.cancels[&cancel] = struct{}{}
	return ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.cancels, &cancel)
		cancel(nil)
	}
}

// Role wraps a role's function: once it ends for a reason that trying again does not cure, it
// logs the reason and stays away until the process stops, instead of failing for ever. Refused is
// called with the reason then. A reason that Watch finds ends every role.
func (g *Guard) Role(name string, run func(context.Context) error, refused func(why error)) func(context.Context) error {
	return func(ctx context.Context) error {
		inner, end := g.refusals.context(ctx)
		defer end()
		err := run(inner)
		if ctx.Err() != nil {
			return err
		}
		why := context.Cause(inner)
		if why == nil {
			why = g.diagnose(ctx, err)
		}
		if !isRefusal(why) {
			return err
		}
		refused(why)
		oneLine := strings.Join(strings.Fields(why.Error()), " ") // lists of errors come with line breaks
		g.opts.Log.Error("role stopped: it can't go on without you", "task", name, "err", oneLine)
		<-ctx.Done()
		return nil
	}
}

// diagnose looks for the reason behind a role's error, and adds what an operator can do.
func (g *Guard) diagnose(ctx context.Context, err error) error {
	if err == nil || isRefusal(err) {
		return g.explain(err)
	}
	// goka passes on the text of an error in recovery, not the error.
	if strings.Contains(err.Error(), delta.ErrDelta.Error()) || strings.Contains(err.Error(), state.ErrChain.Error()) {
		return fmt.Errorf("%w: %w; %s", errChangelog, err, g.badChangelogWaysOut())
	}
	ctx, cancel := context.WithTimeout(ctx, g.opts.Timeout)
	defer cancel()
	client, clientErr := g.connect()
	if clientErr != nil {
		return err
	}
	defer client.Close()
	if why := confirmed(ctx, func() error { return g.look(ctx, client, true) }); isRefusal(why) {
		return why
	}
	return err
}

// Watch looks at the log every few seconds until ctx ends, because a topic that is made anew
// shows itself by no error until it is as long as the old one was. Once it refuses it stops the
// roles, and only waits.
func (g *Guard) Watch(ctx context.Context) error {
	client, err := g.connect()
	if err != nil {
		return err
	}
	defer client.Close()
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		once, end := context.WithTimeout(ctx, g.opts.Timeout)
		err := confirmed(once, func() error { return g.look(once, client, false) })
		end()
		if isRefusal(err) {
			g.refusals.stop(err)
			<-ctx.Done()
			return nil
		}
		if err != nil && ctx.Err() == nil {
			g.opts.Log.Debug("the log can't be looked at", "err", err)
		}
	}
}
