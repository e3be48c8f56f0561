package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"millrace/emit/lake/commits"
	"millrace/internal/blob"
)

// world is a store and a topic of commits, and processes that use them. It lets one actor go on at a time, up to its next request, in an
// order that the seed decides: so a run is a function of its seed, but for the names of collisions of hashes. Its clock is the number of
// requests, tickTime each.
type world struct {
	rng    *rand.Rand
	now    int64
	procs  []*process
	late   []lateRequest // that servers do some time after they were given up, or once more
	faults bool
	trace  bool
	wrong  string // what is found first
	cur    *actor // who goes on

	objects map[string][]byte
	bodies  map[string]uint64 // by the key of a file of hits or visits, or of a checkpoint: a hash of what was first put there
	records [][]byte          // of the topic of commits
	start   int64             // of the topic of commits

	// What a run may take out.
	early  bool // puts are answered before they are done
	noBase bool // names lack the base of their commits
}

// tickTime is the time of a request.
const tickTime = 10 * time.Second

type lateRequest struct {
	at int64
	do func()
	by *process // which has to live, nil for any
}

// process is one of the system's, with one or more goroutines, which are killed and suspended together.
type process struct {
	w      *world
	what   string
	ends   int64 // it is killed then
	sleeps int64 // until then it is suspended
	dead   bool
	ctx    context.Context
	cancel context.CancelFunc
	actors []*actor
	*Archiver
}

// actor is a goroutine.
type actor struct {
	p      *process
	resume chan struct{}
	paused chan struct{}
	sleeps int64
	done   bool
}

var (
	errFault = errors.New("no answer")
	errDead  = errors.New("the process was killed")
)

func newWorld(seed uint64) *world {
	return &world{rng: rand.New(rand.NewPCG(seed, 11)), objects: map[string][]byte{}, bodies: map[string]uint64{}, faults: true}
}

func (w *world) clock() time.Time {
	return time.Unix(1_800_000_000, 0).Add(time.Duration(w.now) * tickTime)
}

func (w *world) fail(format string, args ...any) {
	if w.wrong == "" {
		w.wrong = fmt.Sprintf("at %d: ", w.now) + fmt.Sprintf(format, args...)
	}
}

func (w *world) say(format string, args ...any) {
	if w.trace {
		fmt.Printf("%d "+format+"\n", append([]any{w.now}, args...)...)
	}
}

// begin starts a process that lives for so long.
func (w *world) begin(what string, life int64) *process {
	p := &process{w: w, what: what, ends: w.now + life}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	w.procs = append(w.procs, p)
	return p
}

// run adds a goroutine to a process.
func (p *process) run(f func(*actor)) {
	a := &actor{p: p, resume: make(chan struct{}), paused: make(chan struct{})}
	p.actors = append(p.actors, a)
	go func() {
		<-a.resume
		defer func() {
			a.done = true
			a.paused <- struct{}{}
		}()
		if !p.dead {
			f(a)
		}
	}()
}

// step lets an actor make its next request, or late ones be done.
func (w *world) step() {
	w.now++
	for i := 0; i < len(w.late); i++ {
		if r := w.late[i]; r.at <= w.now {
			w.late = slices.Delete(w.late, i, i+1)
			if r.by == nil || !r.by.dead {
				r.do()
			}
			i--
		}
	}
	var able []*actor
	for _, p := range slices.Clone(w.procs) {
		if p.ends <= w.now {
			p.kill()
			continue
		}
		for _, a := range p.actors {
			if !a.done && a.sleeps <= w.now && p.sleeps <= w.now {
				able = append(able, a)
			}
		}
	}
	if len(able) > 0 {
		able[w.rng.IntN(len(able))].goOn()
	}
}

func (a *actor) goOn() {
	was := a.p.w.cur
	a.p.w.cur = a
	a.resume <- struct{}{}
	<-a.paused
	a.p.w.cur = was
}

// kill ends a process as kill -9 does: none of its requests does anything any more.
func (p *process) kill() {
	p.dead = true
	p.cancel()
	for i := 0; i < len(p.actors); i++ {
		for !p.actors[i].done {
			p.actors[i].goOn()
		}
	}
	p.w.procs = slices.DeleteFunc(p.w.procs, func(x *process) bool { return x == p })
}

func (w *world) killAll() {
	for len(w.procs) > 0 {
		w.procs[0].kill()
	}
}

// request is where an actor stops before a request. It reports whether its process lives.
func (w *world) request() bool {
	a := w.cur
	if a == nil { // the test itself
		return true
	}
	for {
		if a.p.dead {
			return false
		}
		a.paused <- struct{}{}
		<-a.resume
		if !w.faults || a.p.dead {
			return !a.p.dead
		}
		switch w.rng.IntN(600) {
		case 0, 1: // a server that takes long
			a.sleeps = w.now + int64(w.rng.IntN(300))
		case 2: // kill -STOP
			if w.rng.IntN(3) == 0 {
				a.p.sleeps = w.now + int64(w.rng.IntN(2000))
				w.say("%s is suspended until %d", a.p.what, a.p.sleeps)
			}
		default:
			return true
		}
	}
}

// do makes a request that changes something: it may fail, be done and get no answer, be done late, or be done twice.
func (w *world) do(change func()) error {
	if !w.request() {
		return errDead
	}
	if !w.faults || w.cur == nil {
		change()
		return nil
	}
	later := func() { w.late = append(w.late, lateRequest{at: w.now + 1 + int64(w.rng.IntN(600)), do: change}) }
	switch w.rng.IntN(60) {
	case 0:
		return errFault
	case 1:
		change()
		return errFault
	case 2:
		later()
		return errFault
	case 3:
		change()
		later()
		return nil
	}
	change()
	return nil
}

// ask makes a request that changes nothing.
func (w *world) ask() error {
	if !w.request() {
		return errDead
	}
	if w.faults && w.cur != nil && w.rng.IntN(60) == 0 {
		return errFault
	}
	return nil
}

// worldStore is the archive.
type worldStore struct{ *world }

var _ blob.Store = worldStore{}

var baseForm = regexp.MustCompile(`-\d+-\d+(-[0-9a-f]{16}\.(?:parquet|bin))$`)

// key is where an object lies: under its key, but for the worlds where rule L4 does not hold.
func (s worldStore) key(key string) string {
	if s.noBase {
		return baseForm.ReplaceAllString(key, "$1")
	}
	return key
}

func (s worldStore) Put(_ context.Context, key string, body []byte) error {
	if err := blob.ValidKey(key); err != nil {
		return err
	}
	key, body = s.key(key), bytes.Clone(body)
	put := func() {
		s.objects[key] = body
		s.say("put %s", key)
	}
	if _, named := commits.BaseOf(key); named {
		sum := xxhash.Sum64(body)
		if was, ok := s.bodies[key]; ok && was != sum {
			s.fail("%s is put with other bytes than before", key)
		}
		s.bodies[key] = sum
		if s.early && s.rng.IntN(4) == 0 { // whoever did not wait for the answer
			s.late = append(s.late, lateRequest{at: s.now + int64(s.rng.IntN(60)), do: put, by: s.cur.p})
			return nil
		}
	}
	return s.do(put)
}

func (s worldStore) Get(_ context.Context, key string) ([]byte, error) {
	if err := s.ask(); err != nil {
		return nil, err
	}
	body, ok := s.objects[s.key(key)]
	if !ok {
		return nil, fmt.Errorf("get %q: %w", key, blob.ErrNotFound)
	}
	return body, nil
}

func (s worldStore) Open(ctx context.Context, key string) (blob.Object, error) {
	body, err := s.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return memoryObject{bytes.NewReader(body)}, nil
}

func (s worldStore) List(_ context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		if err := s.ask(); err != nil {
			yield(blob.Info{}, err)
			return
		}
		for _, key := range slices.Sorted(maps.Keys(s.objects)) {
			if strings.HasPrefix(key, prefix) && key > after && !yield(blob.Info{Key: key, Size: int64(len(s.objects[key]))}, nil) {
				return
			}
		}
	}
}

func (s worldStore) Delete(_ context.Context, key string) error {
	key = s.key(key)
	return s.do(func() {
		delete(s.objects, key)
		s.say("delete %s", key)
	})
}

func (worldStore) Check(context.Context) error { return nil }
func (worldStore) String() string              { return "simulated store" }

// worldLog is the topic of commits.
type worldLog struct{ *world }

var _ commits.Log = worldLog{}

func (l worldLog) Bounds(context.Context) (start, end int64, err error) {
	err = l.ask()
	return l.start, int64(len(l.records)), err
}

func (l worldLog) Append(_ context.Context, record []byte) (offset int64, err error) {
	record = bytes.Clone(record)
	err = l.do(func() {
		offset = int64(len(l.records))
		l.records = append(l.records, record)
		l.say("commit %d: %.300s", offset, record)
	})
	return offset, err
}

func (l worldLog) Read(_ context.Context, from, to int64, fn func(offset int64, record []byte) error) error {
	for ; from < to; from++ {
		if err := l.ask(); err != nil {
			return err
		}
		switch {
		case from < l.start || from > int64(len(l.records)): // Kafka says: out of range
			return commits.ErrTrimmed
		case from == int64(len(l.records)):
			return errFault // nothing comes
		}
		if err := fn(from, l.records[from]); err != nil {
			return err
		}
	}
	return nil
}

func (l worldLog) Trim(_ context.Context, before int64) error {
	return l.do(func() { l.start = max(l.start, min(before, int64(len(l.records)))) })
}
