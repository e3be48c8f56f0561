package salt

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine/event"
	"millrace/ingest/identity"
)

// Options configure a Keeper.
type Options struct {
	// Path is the file of the salts, which nobody else may read. Required.
	Path string
	// Kafka are options of the client. Default: this collector is the only one.
	Kafka []kgo.Opt
	// Topic is the topic in which collectors agree. Default Topic.
	Topic string
	// Collector is the name of this collector. Required with Kafka.
	Collector string
	// Every is the time between two looks at the topic. Default 1 h; half of what Window's bounds
	// have as room would do.
	Every time.Duration
	// Log takes what the operator should know. Default: nothing is logged.
	Log *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Topic == "" {
		o.Topic = Topic
	}
	if o.Every == 0 {
		o.Every = time.Hour
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// key is the value of a salt.
type key [32]byte

// Keeper keeps the salts of the dates around now. It implements identity.Salts.
type Keeper struct {
	o     Options
	live  atomic.Pointer[[]dated]
	err   atomic.Pointer[error] // of the last Step, nil after one that did all
	wants chan struct{}         // of capacity 1: a date was asked for that there is none of

	mu   sync.Mutex // guards keys; held during Step
	keys map[identity.Day]key

	cancel  context.CancelFunc
	stopped sync.WaitGroup
}

type dated struct {
	day  identity.Day
	salt *identity.Salt
}

// Open reads the file, and returns once there is a salt of each date that it is anywhere: at once
// if the file has them, else when Kafka has answered or ctx ends.
func Open(ctx context.Context, o Options) (*Keeper, error) {
	o = o.withDefaults()
	k := &Keeper{o: o, wants: make(chan struct{}, 1)}
	var err error
	if k.keys, err = readFile(o.Path); err != nil {
		return nil, err
	}
	stepped, err := k.open(ctx)
	if err != nil {
		return nil, err
	}
	run, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	k.stopped.Go(func() { k.run(run, stepped) })
	return k, nil
}

// open drops what has expired, and steps until there is a salt of each date in use. It reports
// whether that took a step.
func (k *Keeper) open(ctx context.Context) (stepped bool, err error) {
	if err := k.keep(k.keys, k.now()); err != nil {
		return false, err
	}
	for k.lacks() {
		err := k.Step(ctx)
		if err == nil {
			return true, nil
		}
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("agree on the salts of visitor ids: %w", err)
		case <-time.After(pause):
		}
	}
	return false, nil
}

// pause is the time between a Step that failed and the next.
const pause = time.Second

// Close ends the looks at the topic. The salts that there are go on.
func (k *Keeper) Close() error {
	k.cancel()
	k.stopped.Wait()
	return nil
}

// Salt returns the salt of a date, nil if it is not in Window or has not been agreed on.
func (k *Keeper) Salt(day identity.Day) *identity.Salt {
	for _, d := range *k.live.Load() {
		if d.day == day {
			return d.salt
		}
	}
	select {
	case k.wants <- struct{}{}:
	default:
	}
	return nil
}

// Err returns why there is no salt of some date in use, nil if there are all.
func (k *Keeper) Err() error {
	if !k.lacks() {
		return nil
	}
	if err := k.err.Load(); err != nil {
		return fmt.Errorf("the collectors have not agreed on the day's salt: %w", *err)
	}
	return errors.New("the collectors have not agreed on the day's salt yet")
}

// lacks reports whether there is no salt of some date in use.
func (k *Keeper) lacks() bool {
	need, have := inUse(k.now()), 0
	for _, d := range *k.live.Load() {
		if need.Has(d.day) {
			have++
		}
	}
	return have < int(need.Last-need.First)+1
}

func (k *Keeper) now() event.Time { return event.TimeOf(k.o.Now()) }

// run steps until ctx ends: at the beginning, unless Open has just done so, each Every, again soon
// after a failure, and when a date is asked for that is in use and not there, after a jump of the
// clock.
func (k *Keeper) run(ctx context.Context, stepped bool) {
	for {
		wait := k.o.Every
		if !stepped {
			wait = k.tryStep(ctx)
		}
		stepped = false
		timer := time.NewTimer(wait)
		for waiting := true; waiting; {
			select {
			case <-timer.C:
				waiting = false
			case <-k.wants:
				waiting = !k.lacks() || k.err.Load() != nil
			case <-ctx.Done():
				return
			}
		}
		timer.Stop()
	}
}

// tryStep steps, and returns when to do so again.
func (k *Keeper) tryStep(ctx context.Context) (wait time.Duration) {
	err := k.Step(ctx)
	if err == nil || ctx.Err() != nil {
		return k.o.Every
	}
	k.o.Log.Warn("the salts of visitor ids could not be looked after; there is another attempt soon", "err", err)
	if k.lacks() {
		return pause
	}
	return min(k.o.Every, time.Minute)
}

// Step brings the salts up to the clock once: it destroys those of dates that are over, and makes or
// takes over the missing ones. The Keeper calls it itself; a test may.
func (k *Keeper) Step(ctx context.Context) (err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer func() {
		if k.err.Store(nil); err != nil {
			k.err.Store(&err)
		}
	}()
	now := k.now()
	if k.o.Kafka == nil {
		keys := maps.Clone(k.keys)
		for day := Window(now).First; day <= Window(now).Last; day++ {
			if _, ok := keys[day]; !ok {
				keys[day] = newKey()
			}
		}
		return k.keep(keys, now)
	}
	// What is over goes, whether Kafka answers or not.
	if err := k.keep(k.keys, now); err != nil {
		return err
	}
	agreed, err := k.agree(ctx, now)
	if err != nil {
		return err
	}
	for day, was := range k.keys {
		if is, ok := agreed[day]; ok && is != was {
			k.o.Log.Warn("the other collectors have agreed on another salt than this one had: visitors of that date count once more",
				"date", day.String(), "file", k.o.Path)
		}
	}
	return k.keep(agreed, now)
}

func newKey() (k key) {
	rand.Read(k[:]) // never fails
	return k
}

// keep makes the keys of the dates in Window the ones that are handed out, behind the file. REQUIRES: k.mu, or
// that nothing else runs.
func (k *Keeper) keep(keys map[identity.Day]key, now event.Time) error {
	keys = maps.Clone(keys)
	maps.DeleteFunc(keys, func(day identity.Day, _ key) bool { return !Window(now).Has(day) })
	// A salt that is over is handed out no more, even if the file can't be written.
	if live := k.live.Load(); live == nil || !maps.Equal(keys, k.keys) {
		first := maps.Clone(keys)
		maps.DeleteFunc(first, func(day identity.Day, is key) bool { return k.keys[day] != is })
		k.hand(first)
		if err := writeFile(k.o.Path, keys); err != nil {
			return err
		}
	}
	k.keys = keys
	k.hand(keys)
	return nil
}

// hand hands keys out.
func (k *Keeper) hand(keys map[identity.Day]key) {
	var live, now []dated
	if p := k.live.Load(); p != nil {
		live = *p
	}
	for day, is := range keys {
		d := dated{day, nil}
		for _, was := range live {
			if was.day == day && k.keys[day] == is {
				d = was // with its keyed states
			}
		}
		if d.salt == nil {
			d.salt = identity.NewSalt(is[:])
		}
		now = append(now, d)
	}
	k.live.Store(&now)
}
