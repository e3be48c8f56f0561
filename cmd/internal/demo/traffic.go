package demo

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// eventsPerVisit is the mean number of events of a visit as the constants here make it; a test holds it.
const eventsPerVisit = 3.0

const (
	chanceToStay   = 0.64             // of another page after each
	chanceReturner = 0.33             // that a visit is by somebody known
	pauseMedian    = 24 * time.Second // between two pages
	mostKnown      = 5000             // visitors remembered per site
)

// beacon is an event in the form of POST /v1/events.
type beacon struct {
	Site     string            `json:"site"`
	Name     string            `json:"name"`
	URL      string            `json:"url"`
	Referrer string            `json:"referrer,omitempty"`
	Language string            `json:"language,omitempty"`
	Screen   string            `json:"screen,omitempty"`
	Props    map[string]string `json:"props,omitempty"`
	Revenue  *revenue          `json:"revenue,omitempty"`
	ID       string            `json:"id"`
	Time     int64             `json:"ts,omitempty"` // ms; 0 is when it arrives
	IP       string            `json:"ip"`
	UA       string            `json:"ua"`
}

type revenue struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

func (b *beacon) body() []byte {
	data, err := json.Marshal(b)
	if err != nil {
		panic("BUG: demo: " + err.Error()) // a struct of strings always has a JSON form
	}
	return data
}

// visitor is a person with a browser.
type visitor struct {
	ip, ua, language, screen string
}

// step is the next view of a visit that goes on.
type step struct {
	due      time.Time
	seq      int // order of equal times
	site     *site
	who      visitor
	at       *page
	query    string // of the landing page
	referrer string
}

// traffic draws events in the order of their times. It belongs to one goroutine.
type traffic struct {
	rng      *rand.Rand
	rate     float64 // visits a second, averaged over a day
	sites    []site
	browsers []weighted[browser]
	known    map[string][]visitor
	visits   queue
	arrive   time.Time // of the next visit
	run      string    // makes ids of two runs differ
	seq      int
	ready    []beacon // events due at the time of the last step, still to be handed out
	now      time.Time
}

func newTraffic(seed uint64, eventsPerSecond float64, start time.Time) *traffic {
	t := &traffic{
		rng:      rand.New(rand.NewPCG(seed, 0x6d696c6c)),
		rate:     eventsPerSecond / eventsPerVisit,
		sites:    sites(),
		browsers: browsers(),
		known:    map[string][]visitor{},
		run:      strconv.FormatInt(start.UnixMilli(), 36),
		arrive:   start,
	}
	return t
}

// next returns the next event and when it happens.
func (t *traffic) next() (time.Time, beacon) {
	for len(t.ready) == 0 {
		if len(t.visits) == 0 || t.arrive.Before(t.visits[0].due) {
			t.begin(t.arrive)
			t.arrive = t.arrive.Add(t.untilVisit(t.arrive))
			continue
		}
		t.view(heap.Pop(&t.visits).(step))
	}
	b := t.ready[0]
	t.ready = t.ready[1:]
	return t.now, b
}

// untilVisit draws the time to the next visit of any site: exponential, at the rate of the hour.
func (t *traffic) untilVisit(at time.Time) time.Duration {
	rate := 0.0
	for i := range t.sites {
		rate += t.sites[i].share * rhythm(at.In(t.sites[i].zone))
	}
	return time.Duration(t.rng.ExpFloat64() / (t.rate * rate) * float64(time.Second))
}

// rhythm is how busy a site is at a local time, 1 on average over a week: quiet at four, a peak in the evening, and fewer at
// the weekend.
func rhythm(local time.Time) float64 {
	hour := float64(local.Hour()) + float64(local.Minute())/60
	daily := 1 - 0.62*math.Cos((hour-3.5)/24*2*math.Pi) - 0.22*math.Cos((hour-2)/12*2*math.Pi)
	weekly := [7]float64{time.Sunday: 0.86, time.Monday: 1.08, time.Tuesday: 1.12, time.Wednesday: 1.1, time.Thursday: 1.06, time.Friday: 0.98, time.Saturday: 0.8}
	return daily * weekly[local.Weekday()]
}

// begin draws a visit.
func (t *traffic) begin(at time.Time) {
	s := t.pickSite(at)
	source := pick(t.rng, s.from)
	st := step{due: at, site: s, who: t.pickVisitor(s), at: &s.pages[0], referrer: source}
	if t.rng.Float64() < 0.6 { // a link leads to a page rather than home
		st.at = t.pickPage(s)
	}
	if campaign, ok := strings.CutPrefix(source, "utm:"); ok {
		part := strings.Split(campaign, "/")
		st.referrer = ""
		st.query = "?utm_source=" + part[0] + "&utm_medium=" + part[1] + "&utm_campaign=" + part[2]
	}
	t.push(st)
}

// view hands out the events of one step and draws what the visitor does next.
func (t *traffic) view(st step) {
	t.now = st.due
	url := "https://" + st.site.id + st.at.path + st.query
	t.emit(st, url, "pageview", nil, nil)
	if g := st.at.goal; g.name != "" && t.rng.Float64() < g.chance {
		t.emit(st, url, g.name, map[string]string{g.prop: one(t.rng, g.values)}, t.price(g))
	}
	if t.rng.Float64() >= chanceToStay {
		return
	}
	pause := time.Duration(float64(pauseMedian) * math.Exp(0.9*t.rng.NormFloat64()))
	t.push(step{
		due:      st.due.Add(min(max(pause, 2*time.Second), 20*time.Minute)),
		site:     st.site,
		who:      st.who,
		at:       t.pickPage(st.site),
		referrer: url,
	})
}

func (t *traffic) price(g goal) *revenue {
	if len(g.prices) == 0 {
		return nil
	}
	return &revenue{Amount: one(t.rng, g.prices), Currency: g.money}
}

func (t *traffic) emit(st step, url, name string, props map[string]string, money *revenue) {
	t.seq++
	t.ready = append(t.ready, beacon{
		Site: st.site.id, Name: name, URL: url, Referrer: st.referrer,
		Language: st.who.language, Screen: st.who.screen, Props: props, Revenue: money,
		ID: "demo-" + t.run + "-" + strconv.Itoa(t.seq), IP: st.who.ip, UA: st.who.ua,
	})
}

func (t *traffic) push(st step) {
	t.seq++
	st.seq = t.seq
	heap.Push(&t.visits, st)
}

func (t *traffic) pickSite(at time.Time) *site {
	var sum float64
	weights := make([]float64, len(t.sites))
	for i := range t.sites {
		weights[i] = t.sites[i].share * rhythm(at.In(t.sites[i].zone))
		sum += weights[i]
	}
	x := t.rng.Float64() * sum
	for i, w := range weights {
		if x -= w; x < 0 {
			return &t.sites[i]
		}
	}
	return &t.sites[0]
}

func (t *traffic) pickPage(s *site) *page {
	sum := 0
	for i := range s.pages {
		sum += s.pages[i].weight
	}
	x := t.rng.IntN(sum)
	for i := range s.pages {
		if x -= s.pages[i].weight; x < 0 {
			return &s.pages[i]
		}
	}
	return &s.pages[0]
}

// pickVisitor returns somebody known or somebody new.
func (t *traffic) pickVisitor(s *site) visitor {
	known := t.known[s.id]
	if len(known) > 0 && t.rng.Float64() < chanceReturner {
		return one(t.rng, known)
	}
	from, b := pick(t.rng, s.people), pick(t.rng, t.browsers)
	v := visitor{ip: t.address(from.network), ua: b.ua, language: one(t.rng, from.languages), screen: one(t.rng, b.screens)}
	if len(known) < mostKnown {
		known = append(known, v)
	} else {
		known[t.rng.IntN(len(known))] = v
	}
	t.known[s.id] = known
	return v
}

// address draws an IPv4 address of a network.
func (t *traffic) address(network string) string {
	p := netip.MustParsePrefix(network)
	a := p.Addr().As4()
	host := t.rng.Uint32() >> p.Bits()
	for i := range a {
		a[i] |= byte(host >> (24 - 8*i))
	}
	return netip.AddrFrom4(a).String()
}

func pick[T any](rng *rand.Rand, from []weighted[T]) T {
	sum := 0
	for _, w := range from {
		sum += w.weight
	}
	x := rng.IntN(sum)
	for _, w := range from {
		if x -= w.weight; x < 0 {
			return w.value
		}
	}
	panic(fmt.Sprintf("BUG: demo: weights of %d choices", len(from)))
}

func one[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// queue holds steps by time (container/heap).
type queue []step

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].seq < q[j].seq
	}
	return q[i].due.Before(q[j].due)
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(step)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	s := (*q)[last]
	*q = (*q)[:last]
	return s
}
