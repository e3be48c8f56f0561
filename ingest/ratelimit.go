package ingest

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiter is a token bucket per key, over a bounded number of keys. Each shard keeps two generations: when the young one is
// full it becomes the old one, whose keys are forgotten unless they come back in time. A forgotten key starts
// with a full bucket, so an attacker with many keys gains a burst, not a rate.
type limiter[K comparable] struct {
	rate   rate.Limit
	burst  int
	keep   func(K) K // copies a key that is kept; nil where it may be kept as it is
	seed   maphash.Seed
	shards [16]limiterShard[K]
}

type limiterShard[K comparable] struct {
	mu         sync.Mutex // guards both
	young, old map[K]*rate.Limiter
}

// limiterKeys is how many keys a generation of a shard holds; all in all 16 x 2 x 4096, about 20 MB.
const limiterKeys = 4096

// newLimiter returns a limiter of perSecond events, nil for no limit. Keep is as in limiter.
func newLimiter[K comparable](perSecond float64, keep func(K) K) *limiter[K] {
	if perSecond == 0 {
		return nil
	}
	return &limiter[K]{rate: rate.Limit(perSecond), burst: max(int(2*perSecond), 1), keep: keep, seed: maphash.MakeSeed()}
}

// allow takes n tokens of key, or none. A request for more than a burst passes when the bucket is full.
func (l *limiter[K]) allow(key K, n int, now time.Time) bool {
	if l == nil {
		return true
	}
	s := &l.shards[maphash.Comparable(l.seed, key)%uint64(len(l.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.young[key]
	if b == nil {
		if b = s.old[key]; b == nil {
			b = rate.NewLimiter(l.rate, l.burst)
		}
		if s.young == nil || len(s.young) >= limiterKeys {
			s.old, s.young = s.young, make(map[K]*rate.Limiter)
		}
		if l.keep != nil {
			key = l.keep(key)
		}
		s.young[key] = b
	}
	return b.AllowN(now, min(n, l.burst))
}

// addressPrefix is what the address rate limit counts by.
func addressPrefix(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}
