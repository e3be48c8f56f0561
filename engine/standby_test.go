package engine_test

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/proxy"

	"millrace/internal/kafka"
)

// mortal is a way to the brokers that can be cut: to them it is as if the process had been killed, no word of farewell.
type mortal struct {
	inner proxy.Dialer

	mu    sync.Mutex // guards what follows
	dead  bool
	conns []net.Conn
}

var errDead = errors.New("dead")

func (m *mortal) Dial(network, addr string) (net.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return nil, errDead
	}
	c, err := m.inner.Dial(network, addr)
	if err == nil {
		m.conns = append(m.conns, c)
	}
	return c, err
}

func (m *mortal) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
	for _, c := range m.conns {
		c.Close()
	}
}

// mortal returns a cluster whose connections can be cut.
func (w *world) mortal(session time.Duration) (*kafka.Cluster, *mortal) {
	c := *w.cluster
	m := &mortal{inner: c.Dialer}
	c.Dialer, c.SessionTimeout = m, session
	return &c, m
}

// TestStandby kills one of two processors, each of which owns some partitions and follows the others. The other one commits
// the records of all partitions little after the session timeout; it reads of the changelog only what is new; and no window
// is wrong.
func TestStandby(t *testing.T) {
	t.Parallel()
	const session = 6 * time.Second
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(4, 4))
	firstCluster, first := w.mortal(session)
	secondCluster, _ := w.mortal(session)
	a := w.runIn(firstCluster, t.TempDir(), true)
	w.write(rng, 0, 100, 0)
	w.flush()
	w.alive(30 * time.Second)
	b := w.runIn(secondCluster, t.TempDir(), true)
	owns := func(r *running) (owned, followed int) {
		for _, s := range r.proc.Status() {
			if s.Owned {
				owned++
			} else if store, ok := r.table.Store(s.Partition); ok && s.ChangelogEnd >= 0 && store.Position() >= s.ChangelogEnd {
				followed++
			}
		}
		return owned, followed
	}
	until(t, "both have a partition and follow the other's", func() bool {
		o, f := owns(a)
		p, g := owns(b)
		return o == 1 && f == 1 && p == 1 && g == 1
	})
	w.write(rng, 100, 100, 0)
	w.flush()
	w.alive(30 * time.Second)
	until(t, "the second follows to the end", func() bool { _, f := owns(b); return f == 1 })
	w.reached(b, 1) // its stores know what may be deleted, also those that only follow

	b.mu.Lock()
	before := b.read
	b.mu.Unlock()
	ends := w.ends
	w.write(rng, 200, 20, 0)
	w.flush()
	killed := time.Now()
	first.kill()
	a.cancel()
	w.write(rng, 220, 20, 0)
	w.finish(240)
	w.alive(30 * time.Second)
	took := time.Since(killed)
	b.mu.Lock()
	read := b.read - before
	b.mu.Unlock()
	t.Logf("all partitions committed to their ends %v after the kill; %d records of the changelog read since, of %d", took.Round(10*time.Millisecond), read, w.ends[0]+w.ends[1])
	if took > session+10*time.Second { // 7.5 s on a machine with nothing else to do
		t.Errorf("took over after %v", took)
	}
	if most := max(w.ends[0]-ends[0], w.ends[1]-ends[1]); read > most {
		t.Errorf("%d records of the changelog read since, want no more than the %d that are new", read, most)
	}
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	<-a.done // what it says is of no interest: its connections were cut
	w.check()
}

// TestRebalance makes two processors three and one under load, some of which follow the others' partitions.
func TestRebalance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(5, 5))
	var running []*running
	start := func(standby bool) {
		running = append(running, w.runIn(w.cluster, t.TempDir(), standby))
	}
	start(true)
	start(false)
	for i, step := range []func(){
		func() {},
		func() { start(true) },
		func() { running[0].mustStop(t) },
		func() { running[1].mustStop(t) },
		func() { start(false) },
	} {
		for s := range 10 {
			w.write(rng, 50*i+5*s, 5, 0)
			w.flush()
			if s == 3 {
				step()
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	w.finish(250)
	w.alive(40 * time.Second)
	for _, r := range running[2:] {
		r.mustStop(t)
	}
	w.check()
}

func (r *running) mustStop(t *testing.T) {
	t.Helper()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("30 s, and not yet: %s", what)
		}
	}
}
