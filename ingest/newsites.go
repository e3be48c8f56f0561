package ingest

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/time/rate"

	"millrace/ingest/protocol"
)

// newSites bounds how many sites that are not configured come up a minute: each costs the engine
// some 20 KiB until its hour is over, and who sends beacons can make up any number of them.
//
// A site is known for a day or so after its last event: it is in one of two generations, and the
// older one is forgotten when the younger is a day old or full. What is forgotten, as after a
// restart, counts as new when it comes again, hence a burst of ten minutes' worth. Sites are kept
// as hashes under a seed of the process: a made-up site that is taken for a known one does no harm,
// and nothing can be computed to be one.
type newSites struct {
	seed maphash.Seed
	most int // sites of a generation

	mu         sync.Mutex // guards what follows
	young, old map[uint64]struct{}
	began      time.Time // of the young generation
	bucket     *rate.Limiter
}

const (
	// newSitesBurst is the burst, in minutes of the rate.
	newSitesBurst = 10
	// knownFor is how long a generation lasts.
	knownFor = 24 * time.Hour
	// leastKnown is the least size of a generation. It has room for a day's sites at the bound's
	// default, 20 MB with both generations full; with a greater bound it is ten bursts, so that the
	// memory is in proportion to what was asked for.
	leastKnown = 1 << 18
	mostKnown  = 1 << 24
)

// refuseNewSites asks for a minute's pause: the next one has its own sites.
var refuseNewSites = &protocol.Refusal{Status: fasthttp.StatusTooManyRequests, Reason: protocol.ReasonNewSites, RetryAfter: "60",
	Msg: "too many new sites a minute (--new-sites); sites that are known go on"}

// newNewSites returns a bound of perMinute sites a minute, nil for none.
func newNewSites(perMinute float64) *newSites {
	if perMinute == 0 {
		return nil
	}
	burst := max(int(newSitesBurst*perMinute), 1)
	return &newSites{
		seed: maphash.MakeSeed(), most: min(max(leastKnown, 10*burst), mostKnown),
		young:  map[uint64]struct{}{},
		bucket: rate.NewLimiter(rate.Limit(perMinute/60), burst),
	}
}

// allow reports whether an event of the site may come in: the site is known, or is one more that
// may come up.
func (n *newSites) allow(site string, now time.Time) bool {
	h := maphash.String(n.seed, site)
	n.mu.Lock()
	defer n.mu.Unlock()
	if now.Sub(n.began) >= knownFor || len(n.young) >= n.most {
		n.old, n.young, n.began = n.young, map[uint64]struct{}{}, now
	}
	if _, known := n.young[h]; known {
		return true
	}
	if _, known := n.old[h]; !known && !n.bucket.AllowN(now, 1) {
		return false
	}
	n.young[h] = struct{}{}
	return true
}

// admitNew refuses a request if one of its sites is a new one too many. Those before it are known
// from then on, so that a request with more new sites than a burst has passes when it has been sent
// again often enough.
func (c *Collector) admitNew(inputs []protocol.Input, r *request, now time.Time) *protocol.Refusal {
	if c.newSites == nil {
		return nil
	}
	for i := range inputs {
		s := r.sites.of(&inputs[i])
		if s.admitted {
			continue
		}
		s.admitted = true
		if !r.policies.Configured(s.id) && !c.newSites.allow(s.id, now) {
			return refuseNewSites
		}
	}
	return nil
}
