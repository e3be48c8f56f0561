package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"millrace/engine/event"
)

// realHarm is something that is done to a real broker and lasts for a while. What undo does is part
// of it.
type realHarm struct {
	name     string
	do, undo func(ctx context.Context, r *run, broker int, lasts time.Duration) error
}

// realHarms are what happens to machines and networks. One broker is away at a time: with two of
// three away nothing can be written, and that is what is asked for.
var realHarms = []realHarm{
	{"broker killed", func(_ context.Context, r *run, broker int, _ time.Duration) error {
		return r.world.real.kafka.Kill(broker)
	}, restartBroker},
	{"broker stopped", func(_ context.Context, r *run, broker int, _ time.Duration) error {
		return r.world.real.kafka.Stop(broker)
	}, restartBroker},
	// Longer than the controllers wait (5 s), it comes back as a leader that is none any more.
	{"broker hung", func(_ context.Context, r *run, broker int, _ time.Duration) error {
		return r.world.real.kafka.Pause(broker)
	}, func(_ context.Context, r *run, broker int, _ time.Duration) error {
		return r.world.real.kafka.Resume(broker)
	}},
	{"connections dropped", cutFor(false), nil},
	{"answers lost", cutFor(true), nil},
}

// restartBroker starts a broker on the data and the port that it had.
func restartBroker(ctx context.Context, r *run, broker int, _ time.Duration) error {
	return r.world.real.kafka.Restart(ctx, broker)
}

// cutFor cuts the workers' connections a few times.
func cutFor(mute bool) func(context.Context, *run, int, time.Duration) error {
	return func(ctx context.Context, r *run, _ int, lasts time.Duration) error {
		const cuts = 4
		for range cuts {
			r.cut += r.world.cutter.cut(mute)
			if err := sleep(ctx, lasts/cuts); err != nil {
				return err
			}
		}
		return nil
	}
}

// realBrokers is T6 with brokers that really die. Each harm hits the engine in the middle of a
// burst, and the log goes on at a steady pace while it lasts.
func realBrokers(ctx context.Context, o Options) error {
	log := newPauses()
	r, p, err := openSteady(ctx, o, plan{work: crowd(o), seen: log.line})
	if err != nil {
		return err
	}
	defer r.close()
	done := map[string]int{}
	var deck []int
	for i := range o.Times {
		o.progress("harm", i, o.Times)
		if len(deck) == 0 { // each once, in another order, before one comes again
			deck = r.rng.Perm(len(realHarms))
		}
		h := realHarms[deck[0]]
		deck = deck[1:]
		done[h.name]++
		slice := 0.95 / float64(o.Times)
		if err := r.feed.until(ctx, r.share((float64(i)+0.5)*slice)); err != nil {
			return err
		}
		log.begin(h.name)
		if err := r.underLoad(ctx, r.share(float64(i+1)*slice), func(lasts time.Duration) error { return r.suffer(ctx, h, lasts) }); err != nil {
			return fmt.Errorf("%s: %w", h.name, err)
		}
		log.begin("")
		if !p.alive() {
			return fmt.Errorf("the worker ended: %w\n%s", p.err, p.errs.String())
		}
	}
	log.judge(r.report, 0)
	if err := r.finish(ctx); err != nil {
		return err
	}
	var list []string
	for name, n := range done {
		list = append(list, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(list)
	r.report.Add("harm", "%s; %d connections cut", strings.Join(list, ", "), r.cut)
	r.report.Add("restarts", "%d of the engine in its process", p.status().Restarts)
	return nil
}

// suffer does a harm to one of the brokers and undoes it.
func (r *run) suffer(ctx context.Context, h realHarm, lasts time.Duration) error {
	broker := 1 + r.rng.IntN(r.world.real.kafka.Len())
	until := time.Now().Add(lasts)
	if err := h.do(ctx, r, broker, lasts); err != nil {
		return err
	}
	if err := sleep(ctx, time.Until(until)); err != nil {
		return err
	}
	if h.undo != nil {
		if err := h.undo(ctx, r, broker, lasts); err != nil {
			return err
		}
	}
	return sleep(ctx, 2*time.Second) // the partitions are at work again, or their pause is longer than that
}

// underLoad writes the log up to a log time, at a steady pace, and stops writing when f is done.
// How long f's harm is to last is random.
func (r *run) underLoad(ctx context.Context, to event.Time, f func(lasts time.Duration) error) error {
	lasts := time.Duration((0.5 + r.rng.Float64()) * float64(r.opts.Wall))
	const healing = 15 * time.Second // a restart takes 4 to 10 s
	next, err := r.feed.peek()
	if err != nil {
		return err
	}
	speed := float64(max(1, to-next.now)) / float64((lasts + healing).Milliseconds())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fed, quit := make(chan error, 1), make(chan struct{})
	go func() { fed <- r.feed.live(ctx, next.now, speed, to, quit) }()
	err = f(lasts)
	if err != nil {
		cancel() // what can't be written is not waited for
	}
	close(quit)
	if fedErr := <-fed; err == nil {
		err = fedErr
	}
	return err
}
