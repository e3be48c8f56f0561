package chaos

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"millrace/engine"
)

// session is how long a member of the group may be silent, see package kafka.
const session = 20 * time.Second

// stop is T5: an engine is stopped, its successor takes over, and then it wakes and goes on where
// it was.
func stop(ctx context.Context, o Options) error {
	w := crowd(o)
	r, err := open(ctx, o, plan{work: w})
	if err != nil {
		return err
	}
	defer r.close()
	owner, err := r.start(ctx, r.job(0))
	if err != nil {
		return err
	}
	slice := 0.9 / float64(4*o.Times)
	at := 0.05
	on := func() error {
		at += slice
		return r.feed.until(ctx, r.share(at))
	}
	var pauses []time.Duration
	for i := range o.Times {
		o.progress("stop", i, o.Times)
		if err := on(); err != nil {
			return err
		}
		// In the middle of its work, a moment after it was given some.
		if err := sleep(ctx, time.Duration(r.rng.IntN(100))*time.Millisecond); err != nil {
			return err
		}
		if err := owner.signal(syscall.SIGSTOP); err != nil {
			return err
		}
		stopped := time.Now()
		if o.Wall < session { // the group would not notice
			if err := r.world.evict(ctx, engine.Group, owner.ids); err != nil {
				return err
			}
		}
		next, err := r.fleet.start(r.job(i + 1))
		if err != nil {
			return err
		}
		if err := next.waitReady(ctx); err != nil {
			return err
		}
		pauses = append(pauses, time.Since(stopped))
		if err := on(); err != nil {
			return err
		}
		if err := sleep(ctx, max(time.Second, o.Wall-time.Since(stopped))); err != nil {
			return err
		}
		if err := owner.signal(syscall.SIGCONT); err != nil {
			return err
		}
		if err := on(); err != nil {
			return err
		}
		// The one that was stopped notices, joins again and takes its share; then it goes, so that
		// there is one.
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
		if err := r.drain(ctx); err != nil {
			return err
		}
		if err := r.leave(ctx, owner); err != nil {
			return err
		}
		owner = next
		if err := on(); err != nil {
			return err
		}
	}
	r.report.Add("stops", "%d of %v each; successors had the state after %v", o.Times, o.Wall, pauses)
	return r.finish(ctx)
}

// leave ends a worker that may have ended by itself, as one that was replaced may.
func (r *run) leave(ctx context.Context, p *proc) error {
	if !p.alive() {
		r.report.Add("woken", "ended by itself: %.200s", p.errs.String())
		return r.fleet.bury(ctx)
	}
	return p.stop(ctx)
}

// rolling is T10: two instances become three and one, under a steady load.
func rolling(ctx context.Context, o Options) error {
	log := newPauses()
	w := crowd(o)
	w.Partitions = 8
	r, err := open(ctx, o, plan{work: w, seen: log.line})
	if err != nil {
		return err
	}
	defer r.close()
	var procs []*proc
	add := func() error {
		p, err := r.start(ctx, r.job(len(r.fleet.live())+100*len(log.steps)))
		procs = append(procs, p)
		return err
	}
	drop := func() error {
		p := procs[0]
		procs = procs[1:]
		return p.stop(ctx)
	}
	if err := add(); err != nil {
		return err
	}
	if err := add(); err != nil {
		return err
	}
	// Each round is up to three, down to one, and back to two; a round has four steps. The load
	// lasts for longer than they take.
	lasts := (o.Wall + mostPause) * time.Duration(4*o.Times+1)
	speed := float64(r.work.Span) / float64(lasts.Milliseconds())
	fed, quit := make(chan error, 1), make(chan struct{})
	go func() { fed <- r.feed.live(ctx, r.work.Start, speed, r.work.Start+r.work.Span, quit) }()
	log.begin("steady")
	if err := sleep(ctx, o.Wall/2); err != nil {
		return err
	}
	stop := sync.OnceValue(func() error { close(quit); return <-fed })
	defer stop()
	for i := range o.Times {
		for j, step := range []struct {
			name string
			do   func() error
		}{{"2 to 3", add}, {"3 to 2", drop}, {"2 to 1", drop}, {"1 to 2", add}} {
			o.progress("change", 4*i+j, 4*o.Times)
			log.begin(step.name)
			if err := step.do(); err != nil {
				return fmt.Errorf("%s instances: %w", step.name, err)
			}
			if err := sleep(ctx, o.Wall); err != nil {
				return err
			}
		}
	}
	log.begin("")
	if err := stop(); err != nil {
		return err
	}
	log.judge(r.report, mostPause)
	return r.finish(ctx)
}
