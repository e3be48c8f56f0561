package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// redrawEvery is the time between two drawings of the line.
const redrawEvery = 200 * time.Millisecond

// Bar is a line of progress. Make one with Start.
type Bar struct {
	w     io.Writer  // nil: not a terminal, nothing is drawn
	width func() int // columns of the terminal
	what  string
	began time.Time

	stop, stopped chan struct{} // closed by Finish; closed when draw has returned

	mu  sync.Mutex
	now state // guarded by mu
}

// state is what the line shows.
type state struct {
	done, total, rows int64
	took              time.Duration // when done was reported, since the start; 0: not yet
}

// Start begins a line on w, if w is a terminal. Finish has to be called.
func Start(w io.Writer, what string) *Bar {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &Bar{}
	}
	return start(w, what, func() int { return columns(f) })
}

func start(w io.Writer, what string, width func() int) *Bar {
	b := &Bar{
		w: w, width: width, what: what, began: time.Now(),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	go b.draw()
	return b
}

// draw redraws the line until Finish, then wipes it. Errors of the terminal change nothing of the
// command's work, so they are not reported.
func (b *Bar) draw() {
	defer close(b.stopped)
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.mu.Lock()
			now := b.now
			b.mu.Unlock()
			fmt.Fprintf(b.w, "\r%s", line(b.width(), b.what, now))
		case <-b.stop:
			fmt.Fprintf(b.w, "\r%*s\r", b.width(), "")
			return
		}
	}
}

// Set reports that done of total is done, which was that many rows. Total may change; 0 is not
// known yet.
func (b *Bar) Set(done, total, rows int64) {
	if b.w == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = state{done: done, total: total, rows: rows, took: time.Since(b.began)}
}

// Finish ends and wipes the line. It may be called more than once.
func (b *Bar) Finish() {
	if b.w != nil {
		close(b.stop)
		<-b.stopped
		b.w = nil
	}
}
