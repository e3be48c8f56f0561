package commits

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"

	"millrace/internal/blob"
)

// sim runs actors one at a time, each up to its next request, in an order that the seed decides; so a run is a function of its
// seed. Its clock is the number of requests, in seconds.
type sim struct {
	rng    *rand.Rand
	now    int64
	actors []*actor
	late   []lateOp // requests that servers do some time after they were given up
	faults bool
	trace  func(format string, args ...any) // may be nil

	objects map[string][]byte
	records [][]byte // of the topic
	start   int64    // of the topic
}

type lateOp struct {
	at int64
	do func()
}

// actor is a process.
type actor struct {
	s          *sim
	resume     chan bool // false: it is killed
	paused     chan struct{}
	sleeps     int64 // until then it does not run
	done       bool
	what       string
	procStart  int64
	lifeOfProc int64
}

// errFault is what a request gets that fails.
var errFault = errors.New("no answer")

func newSim(seed uint64) *sim {
	return &sim{rng: rand.New(rand.NewPCG(seed, 7)), objects: map[string][]byte{}, faults: true}
}

func (s *sim) clock() time.Time { return time.Unix(s.now, 0) }

// start begins a process that lives for so long.
func (s *sim) spawn(what string, life int64, run func(*actor)) {
	a := &actor{s: s, resume: make(chan bool), paused: make(chan struct{}), what: what, procStart: s.now, lifeOfProc: life}
	s.actors = append(s.actors, a)
	go func() {
		defer func() {
			a.done = true
			a.paused <- struct{}{}
		}()
		if <-a.resume {
			run(a)
		}
	}()
}

// step lets one actor make its next request, or a late request be done.
func (s *sim) step() {
	s.now++
	for i := 0; i < len(s.late); i++ {
		if op := s.late[i]; op.at <= s.now {
			s.late = slices.Delete(s.late, i, i+1)
			op.do()
			i--
		}
	}
	s.actors = slices.DeleteFunc(s.actors, func(a *actor) bool { return a.done })
	var able []*actor
	for _, a := range s.actors {
		if a.sleeps <= s.now {
			able = append(able, a)
		}
	}
	if len(able) == 0 {
		return
	}
	a := able[s.rng.IntN(len(able))]
	a.run(s.now < a.procStart+a.lifeOfProc)
}

// run lets the actor go on to its next request, or kills it.
func (a *actor) run(on bool) {
	a.resume <- on
	<-a.paused
}

// kill ends all actors.
func (s *sim) kill() {
	for _, a := range s.actors {
		if !a.done {
			a.run(false)
		}
	}
	s.actors = nil
}

// request is where an actor stops before a request.
func (a *actor) request() {
	a.paused <- struct{}{}
	if !<-a.resume {
		runtime.Goexit()
	}
	if a.s.faults && a.s.rng.IntN(150) == 0 { // suspended, or a server that takes long
		a.sleeps = a.s.now + int64(a.s.rng.IntN(400))
		a.request()
	}
}

// do makes a request that changes something: it may fail, be done and get no answer, be done late, or be done twice.
func (a *actor) do(op func()) error {
	a.request()
	s := a.s
	later := func() { s.late = append(s.late, lateOp{s.now + 1 + int64(s.rng.IntN(300)), op}) }
	if !s.faults {
		op()
		return nil
	}
	switch s.rng.IntN(40) {
	case 0:
		return errFault
	case 1:
		op()
		return errFault
	case 2:
		later()
		return errFault
	case 3:
		op()
		later()
		return nil
	}
	op()
	return nil
}

// ask makes a request that changes nothing.
func (a *actor) ask() error {
	a.request()
	if a.s.faults && a.s.rng.IntN(60) == 0 {
		return errFault
	}
	return nil
}

// simStore is the archive, as an actor reaches it.
type simStore struct{ *actor }

var _ blob.Store = simStore{}

func (a simStore) Put(_ context.Context, key string, body []byte) error {
	if err := blob.ValidKey(key); err != nil {
		return err
	}
	body = slices.Clone(body)
	return a.do(func() {
		a.s.objects[key] = body
		if a.s.trace != nil && strings.Contains(key, "_delta_log") {
			a.s.trace("%s %d put %s", a.what, a.procStart, key[len(key)-30:])
		}
	})
}

func (a simStore) Get(_ context.Context, key string) ([]byte, error) {
	if err := a.ask(); err != nil {
		return nil, err
	}
	body, ok := a.s.objects[key]
	if !ok {
		return nil, blob.ErrNotFound
	}
	return body, nil
}

func (a simStore) Open(ctx context.Context, key string) (blob.Object, error) {
	body, err := a.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return simObject{strings.NewReader(string(body))}, nil
}

type simObject struct{ *strings.Reader }

func (simObject) Close() error { return nil }

func (a simStore) List(_ context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		if err := a.ask(); err != nil {
			yield(blob.Info{}, err)
			return
		}
		var keys []string
		for key := range a.s.objects {
			if strings.HasPrefix(key, prefix) && key > after {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for _, key := range keys {
			if !yield(blob.Info{Key: key, Size: int64(len(a.s.objects[key]))}, nil) {
				return
			}
		}
	}
}

func (a simStore) Delete(_ context.Context, key string) error {
	return a.do(func() { delete(a.s.objects, key) })
}

func (a simStore) Check(context.Context) error { return nil }
func (a simStore) String() string              { return "simulated store" }

// simLog is the topic of commits, as an actor reaches it.
type simLog struct{ *actor }

func (a simLog) Bounds(context.Context) (start, end int64, err error) {
	err = a.ask()
	return a.s.start, int64(len(a.s.records)), err
}

func (a simLog) Append(_ context.Context, record []byte) (offset int64, err error) {
	record = slices.Clone(record)
	err = a.do(func() {
		offset = int64(len(a.s.records))
		a.s.records = append(a.s.records, record)
		if a.s.trace != nil {
			a.s.trace("%s %d wrote %d: %.200s", a.what, a.procStart, offset, record)
		}
	})
	return offset, err
}

func (a simLog) Read(_ context.Context, from, to int64, fn func(offset int64, record []byte) error) error {
	for ; from < to; from++ {
		if err := a.ask(); err != nil {
			return err
		}
		if from < a.s.start || from > int64(len(a.s.records)) { // Kafka says: out of range
			return ErrTrimmed
		}
		if from == int64(len(a.s.records)) {
			return errFault // nothing comes
		}
		if err := fn(from, a.s.records[from]); err != nil {
			return err
		}
	}
	return nil
}

func (a simLog) Trim(_ context.Context, before int64) error {
	return a.do(func() { a.s.start = max(a.s.start, min(before, int64(len(a.s.records)))) })
}
