package pace

import (
	"container/heap"
	"fmt"
	"math/rand/v2"

	"millrace/bench"
	"millrace/engine/event"
)

// traffic is a stream of visits with several events each.
type traffic struct {
	rng          *rand.Rand
	giant, other *bench.Workload
	next         [2]*event.Event // of each, which are beginnings of visits
	open         visits
	paths        []string // that were seen lately
	id           int
}

// giantShare is the part of visits that are the giant's own: with its part of the others' stream it has three fifths of all.
const giantShare = 0.46

// eventsPerVisit is the mean.
const eventsPerVisit = 3

func newTraffic(seed uint64, events, days, sites int) *traffic {
	rate := float64(events) / eventsPerVisit / float64(days*86400)
	return &traffic{
		rng:   rand.New(rand.NewPCG(seed, 7)),
		giant: bench.NewWorkload(bench.WorkloadOptions{Seed: seed, Sites: 1, Rate: rate * giantShare}),
		other: bench.NewWorkload(bench.WorkloadOptions{Seed: seed + 1, Sites: sites, Rate: rate * (1 - giantShare)}),
		paths: make([]string, 0, 256),
	}
}

// visit is one under way.
type visit struct {
	event.Event
	left int
}

type visits []*visit

func (v visits) Len() int           { return len(v) }
func (v visits) Less(i, j int) bool { return v[i].Time < v[j].Time }
func (v visits) Swap(i, j int)      { v[i], v[j] = v[j], v[i] }
func (v *visits) Push(x any)        { *v = append(*v, x.(*visit)) }
func (v *visits) Pop() any {
	old := *v
	x := old[len(old)-1]
	*v = old[:len(old)-1]
	return x
}

// event returns the next event; times never go back.
func (t *traffic) event() *event.Event {
	for i, w := range [...]*bench.Workload{t.giant, t.other} {
		if t.next[i] == nil {
			e := *w.Next()
			t.next[i] = &e
		}
	}
	first := 0
	if t.next[1].Time < t.next[0].Time {
		first = 1
	}
	e := t.next[first]
	if len(t.open) > 0 && t.open[0].Time <= e.Time {
		v := t.open[0]
		e = t.step(v)
		if v.left == 0 {
			heap.Pop(&t.open)
		} else {
			heap.Fix(&t.open, 0)
		}
		return e
	}
	t.next[first] = nil
	return t.begin(e)
}

// begin makes the first event of a visit.
func (t *traffic) begin(e *event.Event) *event.Event {
	path := e.URL[len("https://")+len(e.Site):]
	if len(t.paths) < cap(t.paths) {
		t.paths = append(t.paths, path)
	} else {
		t.paths[t.rng.IntN(len(t.paths))] = path
	}
	e.Name, e.Props = event.Pageview, nil
	if t.rng.IntN(8) == 0 {
		e.URL += fmt.Sprintf("?utm_source=%s&utm_medium=email&utm_campaign=%s", [...]string{"letter", "partner"}[t.rng.IntN(2)], [...]string{"may", "june", "summer"}[t.rng.IntN(3)])
	}
	if n := t.rng.IntN(5); n > 0 {
		v := &visit{Event: *e, left: n}
		v.Time += t.pause()
		heap.Push(&t.open, v)
	}
	return t.named(e)
}

func (t *traffic) pause() event.Time { return event.Time(2000 + t.rng.Int64N(90_000)) }

// step makes the next event of a visit.
func (t *traffic) step(v *visit) *event.Event {
	e := v.Event
	e.Referrer = "https://" + e.Site + "/"
	e.URL = "https://" + e.Site + t.paths[t.rng.IntN(len(t.paths))]
	e.Name, e.Props, e.Amount, e.Currency = event.Pageview, nil, 0, ""
	switch t.rng.IntN(12) {
	case 0, 1:
		e.Name = [...]string{"signup", "download", "search"}[t.rng.IntN(3)]
		e.Props = []event.Prop{{Key: "plan", Value: plans[t.rng.IntN(len(plans))]}, {Key: "variant", Value: fmt.Sprint("v", t.rng.IntN(20))}}
	case 2:
		if t.rng.IntN(4) == 0 {
			e.Name, e.Amount, e.Currency = "purchase", event.Money(t.rng.IntN(100)+1)*9_900, "EUR"
		}
	}
	v.left--
	v.Time += t.pause()
	return t.named(&e)
}

var plans = []string{"free", "pro", "team"}

// named gives an event an id of its own.
func (t *traffic) named(e *event.Event) *event.Event {
	t.id++
	e.ID = fmt.Sprint("p-", t.id)
	e.Received = e.Time
	return e
}
