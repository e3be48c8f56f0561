package supervise

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

const (
	firstPause = 500 * time.Millisecond
	lastPause  = 15 * time.Second
	longEnough = time.Minute
)

// Task is a function that is kept running.
type Task struct {
	name     string
	log      *slog.Logger
	run      func(context.Context) error
	cancel   context.CancelFunc
	done     chan struct{}
	restarts atomic.Int64
	waiting  atomic.Bool
}

// Start runs the function in a goroutine until Stop is called or ctx ends. A function that
// returns nil although its context goes on is started again like one that failed.
func Start(ctx context.Context, name string, log *slog.Logger, run func(context.Context) error) *Task {
	ctx, cancel := context.WithCancel(ctx)
	t := &Task{name: name, log: log, run: run, cancel: cancel, done: make(chan struct{})}
	go t.loop(ctx)
	return t
}

// Name is the name it was started with.
func (t *Task) Name() string { return t.name }

// Restarts is how often the function was started again.
func (t *Task) Restarts() int64 { return t.restarts.Load() }

// Running is false while the task waits to be started again, and after its end.
func (t *Task) Running() bool {
	select {
	case <-t.done:
		return false
	default:
		return !t.waiting.Load()
	}
}

// Stop cancels the function's context and waits until it has returned.
func (t *Task) Stop() {
	t.cancel()
	<-t.done
}

func (t *Task) loop(ctx context.Context) {
	defer close(t.done)
	defer t.cancel()
	pause := firstPause
	for {
		began := time.Now()
		err := t.run(ctx)
		if ctx.Err() != nil {
			if err != nil {
				t.log.Warn("stopped with an error", "task", t.name, "err", oneLine(err))
			}
			return
		}
		if time.Since(began) >= longEnough {
			pause = firstPause
		}
		if err != nil {
			t.log.Error("task failed, will be started again", "task", t.name, "in", pause, "err", oneLine(err))
		} else {
			t.log.Error("task ended by itself, will be started again", "task", t.name, "in", pause)
		}
		t.waiting.Store(true)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		t.waiting.Store(false)
		t.restarts.Add(1)
		pause = min(2*pause, lastPause)
	}
}

// oneLine is the text of an error without the line breaks and bullets that lists of errors come
// with.
func oneLine(err error) string {
	words := strings.Fields(err.Error())
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "*" }), " ")
}
