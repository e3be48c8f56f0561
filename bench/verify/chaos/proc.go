package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"millrace/bench/verify/oracle"
)

// fleet is the workers of one run.
type fleet struct {
	world  *world
	group  string
	worker func(spec string) *exec.Cmd

	mu    sync.Mutex // guards what follows
	procs []*proc    // those that live
	at    map[int32]progress
	seen  func(*proc, *status) // told each line
	ended int                  // workers that ended without being asked to
	words string               // what the one that ended last had said
}

// proc is one worker as its parent sees it.
type proc struct {
	fleet  *fleet
	job    job
	cmd    *exec.Cmd
	stdin  io.Closer
	errs   tail
	began  time.Time
	done   chan struct{} // closed once it has ended
	err    error         // how, valid after done
	ids    map[string]bool
	mu     sync.Mutex // guards what follows
	last   status
	ready  time.Time // when it said so first
	killed bool
}

// start starts a worker. It does not wait until the worker is ready.
func (f *fleet) start(j job) (*proc, error) {
	j.Brokers = f.world.cluster.Brokers
	if f.world.real != nil {
		j.Via = f.world.real.via()
	}
	spec, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	p := &proc{fleet: f, job: j, cmd: f.worker(string(spec)), began: time.Now(), done: make(chan struct{})}
	p.cmd.Stderr = &p.errs
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.stdin, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	f.mu.Lock()
	f.procs = append(f.procs, p)
	f.mu.Unlock()
	go p.read(out)
	return p, nil
}

// read takes the worker's lines until it ends.
func (p *proc) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s status
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			fmt.Fprintf(&p.errs, "its output: %.200s\n", lines.Text())
			continue
		}
		p.mu.Lock()
		if s.Ready && p.ready.IsZero() {
			p.ready = time.Now()
		}
		told := s
		if s.Memory == 0 { // told now and then
			told.Memory, told.Heap, told.Files = p.last.Memory, p.last.Heap, p.last.Files
		}
		p.last = told
		p.mu.Unlock()
		p.fleet.note(p, &s)
	}
	p.err = p.cmd.Wait()
	p.fleet.gone(p)
	close(p.done)
}

// note takes in a line of a worker. Of two workers that tell of one partition the one that is
// further counts: the other has been replaced.
func (f *fleet) note(p *proc, s *status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for part, at := range s.Partitions {
		if at.Offset >= f.at[part].Offset {
			f.at[part] = at
		}
	}
	if f.seen != nil {
		f.seen(p, s)
	}
}

// gone takes a worker that has ended out of the fleet.
func (f *fleet) gone(p *proc) {
	p.mu.Lock()
	asked := p.killed
	p.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !asked {
		f.ended++
	}
	f.words = p.errs.String()
	for i := range f.procs {
		if f.procs[i] == p {
			f.procs = append(f.procs[:i], f.procs[i+1:]...)
			return
		}
	}
}

// lastWords is what the worker that ended last had written to its log.
func (f *fleet) lastWords() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.words
}

// live returns the workers that have not ended.
func (f *fleet) live() []*proc {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*proc(nil), f.procs...)
}

// waitReady waits until the worker has its partitions and their state, and notes its memberships.
func (p *proc) waitReady(ctx context.Context) error {
	if err := p.saidReady(ctx); err != nil {
		return err
	}
	ids, err := p.fleet.strangers(ctx, p)
	if err == nil {
		p.ids = ids
	}
	return err
}

// saidReady waits until the worker has said that it is ready.
func (p *proc) saidReady(ctx context.Context) error {
	for {
		p.mu.Lock()
		ready := !p.ready.IsZero()
		p.mu.Unlock()
		if ready {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("worker ended before it was ready: %w\n%s", errors.Join(p.err), p.errs.String())
		case <-ctx.Done():
			return fmt.Errorf("wait for a worker: %w\n%s", ctx.Err(), p.errs.String())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// strangers are the members of the group that belong to no other worker.
func (f *fleet) strangers(ctx context.Context, not *proc) (map[string]bool, error) {
	ids, err := f.world.members(ctx, f.group)
	if err != nil {
		return nil, err
	}
	for _, p := range f.live() {
		if p == not {
			continue
		}
		for id := range p.ids {
			delete(ids, id)
		}
	}
	return ids, nil
}

// kill is kill -9. The group forgets the worker at once.
func (p *proc) kill(ctx context.Context) error {
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	p.cmd.Process.Kill()
	<-p.done
	return p.fleet.bury(ctx)
}

// bury takes members out of the group that no live worker is.
func (f *fleet) bury(ctx context.Context) error {
	ids, err := f.strangers(ctx, nil)
	if err != nil {
		return err
	}
	return f.world.evict(ctx, f.group, ids)
}

// stop ends the worker as a service manager does, and returns how it ended.
func (p *proc) stop(ctx context.Context) error {
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	p.stdin.Close()
	select {
	case <-p.done:
		if p.err != nil {
			return fmt.Errorf("worker stopped with %w\n%s", p.err, p.errs.String())
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop worker: %w", ctx.Err())
	}
}

// signal sends a signal; SIGSTOP stops a process as a machine that swaps or a paused container
// does.
func (p *proc) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("send %s to a worker: %w", s, err)
	}
	return nil
}

// alive reports whether the process has not ended; a stopped one has not.
func (p *proc) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// status is what the worker said last.
func (p *proc) status() status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// end kills all workers.
func (f *fleet) end() {
	for _, p := range f.live() {
		p.mu.Lock()
		p.killed = true
		p.mu.Unlock()
		p.cmd.Process.Kill()
		<-p.done
	}
}

// counters is what the engine has counted of each partition's log, and where it is.
func (f *fleet) counters() (oracle.Counters, map[int32]int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var sum oracle.Counters
	at := map[int32]int64{}
	for p, s := range f.at {
		sum.Add(s.Tally)
		at[p] = s.Offset
	}
	return sum, at
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex // guards b
	b  []byte
}

const tailBytes = 8 << 10

// Write implements io.Writer and never fails.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if n := len(t.b) - tailBytes; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(b), nil
}

// String is what is kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}

// selfKilled reports whether the worker, which has ended, was ended by SIGKILL.
func (p *proc) selfKilled() bool {
	s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && s.Signaled() && s.Signal() == syscall.SIGKILL
}
