package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"

	"millrace/engine/event"
)

// Workload is a stream of believable page views: a few large sites and many small ones, pages,
// visitors and countries by Zipf's law, a sixth of the views followed by a custom event, user
// agents as the world has them. The same options give the same stream.
type Workload struct {
	opts WorkloadOptions
	rng  *rand.Rand
	site *zipf
	who  *zipf
	now  float64 // ms
	seq  uint64
	ev   event.Event
}

// WorkloadOptions are the settings of a Workload. Zero fields take their defaults.
type WorkloadOptions struct {
	// Seed makes the stream. Any number will do.
	Seed uint64
	// Sites is the number of sites. Default 50.
	Sites int
	// Rate is in events per second of event time. Default 5,000.
	Rate float64
	// Start is the first event's time. Default 2024-05-01 00:00 UTC.
	Start event.Time
}

// DefaultStart is the time of a Workload's first event: 2024-05-01 00:00 UTC.
const DefaultStart = event.Time(1_714_521_600_000)

// NewWorkload returns a stream at its start.
func NewWorkload(o WorkloadOptions) *Workload {
	if o.Sites == 0 {
		o.Sites = 50
	}
	if o.Rate == 0 {
		o.Rate = 5000
	}
	if o.Start == 0 {
		o.Start = DefaultStart
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0x776f726b))
	return &Workload{opts: o, rng: rng, site: newZipf(o.Sites, 1.1), who: visitors(), now: float64(o.Start)}
}

// Next returns the next event, valid until the call after. Times never go back.
func (w *Workload) Next() *event.Event {
	w.now += w.rng.ExpFloat64() * 1000 / w.opts.Rate
	w.seq++
	r := w.rng
	site := w.site.draw(r)
	// A visitor of a site keeps country, language and browser: they follow from its number.
	n := uint64(w.who.draw(r))
	who := Mix(uint64(site)<<32 | n)
	page := pages.draw(r)
	e := &w.ev
	*e = event.Event{
		ID:       fmt.Sprintf("b-%012x", w.seq),
		Site:     SiteName(site),
		Name:     event.Pageview,
		Time:     event.Time(w.now),
		Received: event.Time(w.now),
		Visitor:  event.Visitor(who),
		URL:      "https://" + SiteName(site) + pagePath(page),
		UA:       UserAgent(who >> 8),
		Country:  countryCodes[countries.at(who>>20)],
		Language: Language(who >> 40),
		Screen:   Screen(who >> 50),
		Client:   "v1",
	}
	switch k := r.IntN(100); {
	case k < 55:
		e.Referrer = "https://" + SiteName(site) + pagePath(pages.draw(r))
	case k < 80:
		e.Referrer = referrers[r.IntN(len(referrers))]
	}
	if r.IntN(6) == 0 {
		e.Name = customEvents[r.IntN(len(customEvents))]
		e.Props = []event.Prop{{Key: "plan", Value: "pro"}, {Key: "variant", Value: "b"}}
	}
	return e
}

// Now returns the event time reached.
func (w *Workload) Now() event.Time { return event.Time(w.now) }

// SiteName returns the name of the site with a number.
func SiteName(i int) string { return fmt.Sprintf("site-%02d.example", i) }

// pagePath returns the path of the page with a rank: the first is the front page.
func pagePath(i int) string {
	if i == 0 {
		return "/"
	}
	return fmt.Sprintf("/%s/%s-%d", sections[i%len(sections)], sections[(i/7)%len(sections)], i)
}

// Mix is SplitMix64's finalizer (Steele, Lea, Flood, 2014).
func Mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// UserAgent returns one of the user agents of the stream, by a hash.
func UserAgent(hash uint64) string { return pick(userAgents, hash) }

// Country returns one of the stream's countries, each as likely as the others.
func Country(hash uint64) string { return pick(countryCodes, hash) }

// Language returns one of the stream's languages.
func Language(hash uint64) string { return pick(languageTags, hash) }

// Screen returns one of the stream's sizes of screens.
func Screen(hash uint64) string { return pick(screens, hash) }

// pick returns the value that a hash falls on; all are as likely.
func pick(list []string, hash uint64) string { return list[hash%uint64(len(list))] }

// zipf draws ranks 0 to n-1 with probability proportional to (rank+1)^-s, by its table of sums.
type zipf struct{ sums []float64 }

// newZipf returns the table for n ranks. A larger s gives more to the first.
func newZipf(n int, s float64) *zipf {
	z := &zipf{sums: make([]float64, n)}
	total := 0.0
	for i := range z.sums {
		total += math.Pow(float64(i+1), -s)
		z.sums[i] = total
	}
	return z
}

// draw returns a random rank.
func (z *zipf) draw(r *rand.Rand) int { return z.rank(r.Float64()) }

// at maps a hash to a rank.
func (z *zipf) at(hash uint64) int { return z.rank(float64(hash&(1<<20-1)) / (1 << 20)) }

// rank returns the rank at a share of the whole, from 0 to 1.
func (z *zipf) rank(u float64) int {
	u *= z.sums[len(z.sums)-1]
	lo, hi := 0, len(z.sums)-1
	for lo < hi {
		if mid := (lo + hi) / 2; z.sums[mid] < u {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

var (
	// visitors takes milliseconds to make, which each command of the program would wait for.
	visitors  = sync.OnceValue(func() *zipf { return newZipf(50_000, 0.6) })
	pages     = newZipf(400, 1.0)
	countries = newZipf(len(countryCodes), 1.0)

	sections     = strings.Fields("blog docs pricing news product about help shop guide events careers press team status api")
	customEvents = strings.Fields("signup download outbound scroll search")
	screens      = strings.Fields("1920x1080 390x844 1536x864 412x915 1440x900 2560x1440 360x800 820x1180")
	languageTags = strings.Fields("en-US en-GB de-DE fr-FR es-ES pt-BR ja-JP zh-CN ru-RU it-IT nl-NL pl-PL en tr-TR")
	countryCodes = strings.Fields("US IN DE BR GB FR JP CN RU IT ES CA MX ID NL PL TR AU KR SE UA AR CH BE AT VN PH TH ZA CZ PT RO DK FI NO IE NZ SG HK IL GR HU EE LV LT")
	referrers    = []string{
		"https://www.google.com/", "https://www.google.com/", "https://www.google.com/", "https://www.bing.com/", "https://duckduckgo.com/",
		"https://www.facebook.com/", "https://t.co/x1", "https://www.reddit.com/r/programming/", "https://news.ycombinator.com/item?id=1",
		"https://www.linkedin.com/feed/", "https://github.com/", "https://chatgpt.com/",
	}
	userAgents = makeUserAgents()
)

// makeUserAgents builds agents in the shapes that browsers send, in about the shares that the web
// sees: three quarters Chromium, a fifth Safari, and Firefox.
func makeUserAgents() []string {
	var list []string
	for v := 118; v < 140; v++ {
		for _, os := range []string{"Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64", "Linux; Android 10; K"} {
			mobile := ""
			if strings.Contains(os, "Android") {
				mobile = " Mobile"
			}
			list = append(list, fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0%s Safari/537.36", os, v, mobile))
		}
		list = append(list,
			fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36 Edg/%d.0.0.0", v, v),
			fmt.Sprintf("Mozilla/5.0 (iPhone; CPU iPhone OS %d_%d like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/%d.0 Mobile/15E148 Safari/604.1", 15+v%4, v%6, 15+v%4),
			fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:%d.0) Gecko/20100101 Firefox/%d.0", v, v))
	}
	return list
}
