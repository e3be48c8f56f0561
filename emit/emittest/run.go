package emittest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millrace/emit"
	"millrace/engine/event"
	"millrace/engine/window"
)

// Store is a store under test.
type Store struct {
	Sink emit.Sink
	// Totals returns the rollup of window.Totals of a window, nil if there is none. It needs no
	// sketch.
	Totals func(t *testing.T, k window.Kind, site string, start event.Time) *window.Rollup
	// Progress returns the last progress of each partition, by partition.
	Progress func(t *testing.T) []window.Progress
	// Refused are records that decode and that the sink refuses.
	Refused [][]byte
}

// Run runs the suite. Open returns an empty store; it cleans up through t.
func Run(t *testing.T, open func(t *testing.T) Store) {
	f := func(name string, fn func(*testing.T, *suite)) {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			fn(t, &suite{Store: s, Kafka: NewKafka(t), group: s.Sink.Intake().Group, newest: map[string]int64{}})
		})
	}
	f("Moves", testMoves)
	f("SinkFails", testSinkFails)
	f("DiesBeforeCommit", testDiesBeforeCommit)
}

type suite struct {
	Store
	*Kafka
	group  string
	newest map[string]int64 // version by site
}

// Site makes a window of one page that has as many events as its version is large.
func Site(site string, start event.Time, version int64) *window.Window {
	r := window.Rollup{Events: version, Pageviews: version}
	return &window.Window{Site: site, Start: start, Version: version, Final: true, Points: []window.Point{
		{Family: window.Totals, Rollup: r},
		{Family: window.Pages, Dims: [2]string{"/"}, Rollup: r},
	}}
}

// minute is the start of the windows of a test.
const minute = event.Minute

// send writes n windows of nine sites, some of them older than what has been written before.
func (s *suite) send(r *rand.Rand, n int) {
	s.tb.Helper()
	for range n {
		site := fmt.Sprintf("site-%d.example", r.IntN(9))
		version := max(1, s.sent-r.Int64N(3))
		s.newest[site] = max(s.newest[site], version)
		s.Windows(Site(site, minute, version))
	}
}

func (s *suite) checkNewest(t *testing.T) {
	t.Helper()
	for site, want := range s.newest {
		if got := s.Totals(t, window.Minute, site, minute); got == nil || got.Events != want {
			t.Errorf("%s: %+v is stored, want version %d", site, got, want)
		}
	}
}

// testMoves stops and starts a Consumer while windows of several versions come, in between what is
// no window.
func testMoves(t *testing.T, s *suite) {
	r := rand.New(rand.NewPCG(1, 1))
	s.send(r, 50)
	poison := append([][]byte{
		[]byte("no line protocol"), nil, []byte("totals,site=a events=1i 60\ntotals,site=b events=1i 60\n"),
	}, s.Refused...)
	for i, b := range poison {
		s.Produce(int32(i)%Partitions, "key|1", b)
	}
	s.send(r, 50)
	for p := range int32(Partitions) {
		s.Produce(p, event.Key(p), window.Progress{
			Partition: p, Low: event.Time(p) * 1000, Hours: event.Time(p) * event.Hour, Offset: 7,
		}.AppendLines(nil))
	}
	kinds := map[window.Kind]window.Rollup{
		window.Hour:   {Events: 9, Pageviews: 8, Revenue: -7},
		window.Visits: {Visits: 6, Bounces: 5, Seconds: 40, Views: 30},
	}
	for k, rollup := range kinds {
		s.Windows(&window.Window{Kind: k, Site: "kinds.example", Version: 1, Final: true, Points: []window.Point{{Rollup: rollup}}})
	}
	c := s.Consumer(s.Sink)
	stop := s.Start(c)
	s.WaitCommitted(s.group)
	if st := c.Stats(); st.Dead != uint64(len(poison)) || st.Windows+st.Stale+st.Superseded != 102 || st.Progress != Partitions || st.Batches == 0 {
		t.Errorf("stats %+v", st)
	}
	if err := stop(); err != nil {
		t.Errorf("Run after a stop: %v", err)
	}
	s.send(r, 20)
	stop = s.Start(s.Consumer(s.Sink))
	s.WaitCommitted(s.group)
	if err := stop(); err != nil {
		t.Errorf("Run after a stop: %v", err)
	}

	s.checkNewest(t)
	ps := s.Progress(t)
	if len(ps) != Partitions || ps[1] != (window.Progress{Partition: 1, Low: 1000, Hours: event.Hour, Offset: 7}) {
		t.Errorf("progress %+v", ps)
	}
	for k, want := range kinds {
		got := s.Totals(t, k, "kinds.example", 0)
		if got == nil || fmt.Sprint(*got) != fmt.Sprint(want) {
			t.Errorf("%s: %+v, want %+v", k, got, want)
		}
	}
	if got := s.Totals(t, window.Minute, "kinds.example", 0); got != nil {
		t.Errorf("minute of a site that has none: %+v", got)
	}
	s.checkLetters(t, poison)
}

// checkLetters compares dead letters with what was poison, in any order.
func (s *suite) checkLetters(t *testing.T, poison [][]byte) {
	t.Helper()
	text := func(b []byte) string { return fmt.Sprintf("%t %q", b == nil, b) }
	var got, want []string
	for _, l := range s.Letters(len(poison)) {
		if l.Key != "key|1" || l.Topic != emit.Topic || l.Reason == "" {
			t.Errorf("letter %+v", l)
		}
		got = append(got, text(l.Value))
	}
	for _, b := range poison {
		want = append(want, text(b))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("letters\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// broken is a sink that fails, before or after it has done what was asked.
type broken struct {
	emit.Sink
	after bool
}

var errBroken = errors.New("the sink is broken on purpose")

func (b broken) WriteBatch(ctx context.Context, batch emit.Batch) (int, error) {
	if b.after {
		if _, err := b.Sink.WriteBatch(ctx, batch); err != nil {
			return 0, err
		}
	}
	return 0, errBroken
}

// testSinkFails: what can't be written is not committed, Run returns why, and the next run catches
// up.
func testSinkFails(t *testing.T, s *suite) {
	for i := range int64(30) {
		s.Windows(Site("a.example", event.Time(i)*event.Minute, 1))
	}
	err := s.Consumer(broken{Sink: s.Sink}).Run(t.Context())
	if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), s.group) {
		t.Errorf("Run: %v, want %v", err, errBroken)
	}
	if n := s.Committed(s.group); n != 0 {
		t.Errorf("%d records are committed after a run that wrote nothing", n)
	}
	s.Start(s.Consumer(s.Sink))
	s.WaitCommitted(s.group)
	for i := range int64(30) {
		if got := s.Totals(t, window.Minute, "a.example", event.Time(i)*event.Minute); got == nil || got.Events != 1 {
			t.Errorf("minute %d: %+v", i, got)
		}
	}
}

// testDiesBeforeCommit: what was written and not committed comes again, and older versions with it;
// the newest stays.
func testDiesBeforeCommit(t *testing.T, s *suite) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 3 {
		s.send(r, 20)
		if err := s.Consumer(broken{Sink: s.Sink, after: true}).Run(t.Context()); !errors.Is(err, errBroken) {
			t.Errorf("Run: %v, want %v", err, errBroken)
		}
		if n := s.Committed(s.group); n != 0 {
			t.Fatalf("%d records are committed after a run that committed nothing", n)
		}
	}
	c := s.Consumer(s.Sink)
	stop := s.Start(c)
	s.WaitCommitted(s.group)
	s.checkNewest(t)
	// An old firing that comes after everything was committed.
	for site := range s.newest {
		s.Windows(Site(site, minute, 0))
	}
	s.WaitCommitted(s.group)
	if err := stop(); err != nil {
		t.Errorf("Run after a stop: %v", err)
	}
	s.checkNewest(t)
	if st := c.Stats(); st.Stale < uint64(len(s.newest)) || st.Windows+st.Stale+st.Superseded < 60 {
		t.Errorf("stats %+v", st)
	}
}
