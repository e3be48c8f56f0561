package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	// Patience is the default of Options.Patience, how long a role may wait for one thing before
	// it gives its partitions away. Not less: a server that is restarted is back within it, and
	// each move of partitions costs the group a pause. Not more: meanwhile the numbers of these
	// partitions stand still.
	Patience = time.Minute
	// Settle is how long a run has to last after one that failed until the role counts as able
	// again.
	Settle = 5 * time.Second

	// probeTime bounds one probe: a server that takes longer can't keep up with the work either.
	probeTime = 15 * time.Second
	// Pauses between probes are doubled from the first to the last. The last one is how much
	// later than its server the role is back.
	firstPause = time.Second
	lastPause  = 10 * time.Second
	// complainEvery is how often a role that can't work is logged.
	complainEvery = time.Minute
)

// Options of a Gate. All but Waiting and Patience are required.
type Options struct {
	// Name is the role's, for the log.
	Name string
	// Probe uses each right that the role uses, and no other, and returns what is wrong. It
	// returns when its context ends.
	Probe func(context.Context) error
	// Waiting returns since when the running function has waited for something outside, and why;
	// the zero time if it does not wait. May be nil.
	Waiting func() (since time.Time, why error)
	// Patience is how long the function may wait for one thing; 0 is the default.
	Patience time.Duration
	Log      *slog.Logger
}

// Gate guards one role.
type Gate struct {
	opts Options

	mu  sync.Mutex // guards why
	why error
}

var errNotTried = errors.New("its rights have not been tried yet")

// New returns a gate that is closed.
func New(o Options) *Gate {
	o.Patience = cmp.Or(o.Patience, Patience)
	return &Gate{opts: o, why: errNotTried}
}

// Why returns why the role can't do its work, nil if it can.
func (g *Gate) Why() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.why
}

func (g *Gate) set(why error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.why = why
}

// Guard returns run behind the gate. What it returns ends when its context does, or when run ends
// by itself.
func (g *Gate) Guard(run func(context.Context) error) func(context.Context) error {
	failed := false // the run before this one
	return func(ctx context.Context) error {
		for {
			if !g.prove(ctx) {
				return nil
			}
			left, err := g.work(ctx, run, failed)
			failed = true
			if ctx.Err() != nil || !left {
				return err
			}
			if err != nil {
				g.opts.Log.Debug("left with an error", "role", g.opts.Name, "err", err)
			}
			failed = false
		}
	}
}

// prove probes until that succeeds; false if ctx ends first.
func (g *Gate) prove(ctx context.Context) bool {
	var logged time.Time
	pause := firstPause
	for tries := 1; ; tries++ {
		err := g.probe(ctx)
		if ctx.Err() != nil {
			return false
		}
		if err == nil {
			if tries > 1 {
				g.opts.Log.Info("role can do its work", "role", g.opts.Name, "probes", tries)
			}
			return true
		}
		g.set(err)
		if now := time.Now(); logged.IsZero() || now.Sub(logged) >= complainEvery {
			logged = now
			g.opts.Log.Error("role can't do its work: it takes no partitions and is not ready until it can",
				"role", g.opts.Name, "err", oneLine(err))
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

func (g *Gate) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	err := g.opts.Probe(ctx)
	if err != nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %v: %w", probeTime, err)
	}
	return err
}

// work runs the function until it ends, or until it has waited for too long, which is when left
// is true.
func (g *Gate) work(ctx context.Context, run func(context.Context) error, failed bool) (left bool, err error) {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	if !failed {
		g.set(nil)
	}
	watched := make(chan bool, 1)
	go func() { watched <- g.watch(inner, cancel, failed) }()
	err = run(inner)
	cancel()
	left = <-watched
	switch {
	case left || ctx.Err() != nil:
	case err == nil:
		g.set(errors.New("it ended by itself"))
	default:
		g.set(err)
	}
	return left, err
}

// watch looks after a run until ctx ends. It ends the run with leave, and returns true, if it has
// waited for too long.
func (g *Gate) watch(ctx context.Context, leave func(), failed bool) bool {
	began := time.Now()
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
		}
		if failed && time.Since(began) >= Settle {
			failed = false
			g.set(nil)
		}
		if g.opts.Waiting == nil {
			continue
		}
		since, why := g.opts.Waiting()
		if since.IsZero() || time.Since(since) < g.opts.Patience {
			continue
		}
		if why == nil {
			why = errors.New("no answer")
		}
		g.set(fmt.Errorf("not for %v: %w", time.Since(since).Round(time.Second), why))
		g.opts.Log.Error("role can't do its work for long: it gives its partitions to those that can, and is not ready",
			"role", g.opts.Name, "for", time.Since(since).Round(time.Second), "err", oneLine(why))
		leave()
		return true
	}
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
