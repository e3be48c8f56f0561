package chaos

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"millrace/bench/verify/sim"
	"millrace/engine/sketch"
)

// What T16 asks for: an exact number up to exactVisitors, and from there on estimates within
// threeErrors standard errors. An error that is normally distributed is off by more once in 370
// times, so of many estimates some may be, but no more than that, and none by fiveErrors (once in
// 1.7 million).
const (
	exactVisitors = 1_000
	threeErrors   = 3
	fiveErrors    = 5
	normalBeyond  = 0.0027
)

// sketches is T16: sketches are held against exact counts while they grow, one in ten of them to
// o.Events visitors and the others to a sixteenth of that. In the end each is made again of its
// visitors in another order and in parts, as a replay does, and has to be the same bytes.
func sketches(ctx context.Context, o Options) error {
	var mu sync.Mutex // guards what follows
	var sum grown
	visitors := 0
	played, err := sim.EachSeed(ctx, o.Seed, o.Times, func(done int) { o.progress("grow", done, o.Times) }, func(seed uint64) error {
		most := o.Events
		if seed%10 > 0 {
			most /= 16
		}
		g := grow(seed, most)
		again, err := remake(seed, g.hashes)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		sum.estimates, sum.beyond, sum.worst = sum.estimates+g.estimates, sum.beyond+g.beyond, max(sum.worst, g.worst)
		visitors += most
		for _, w := range g.wrong {
			o.report.Fail("seed %d: an estimate of %.0f for %d visitors", seed, w.estimate, w.visitors)
		}
		if !bytes.Equal(g.bytes, again) {
			o.report.Fail("seed %d: a sketch made again of its %d visitors has other bytes", seed, most)
		}
		return nil
	})
	o.report.Add("sketches", "%d, of %d visitors in sum, each made a second time in another order", played, visitors)
	o.report.Add("estimates", "%d of more than %d visitors, %d of them more than %d standard errors off, at worst %.2f; exact below",
		sum.estimates, exactVisitors, sum.beyond, threeErrors, sum.worst)
	if most := max(1, int(normalBeyond*float64(sum.estimates))); sum.beyond > most {
		o.report.Fail("%d estimates are more than %d standard errors off, of so many at most %d may be", sum.beyond, threeErrors, most)
	}
	return err
}

// grown is a sketch that has grown.
type grown struct {
	hashes            []uint64
	bytes             []byte
	estimates, beyond int     // of more than exactVisitors; those more than threeErrors off
	worst             float64 // in standard errors
	wrong             []wrongEstimate
}

// wrongEstimate is one that may not be.
type wrongEstimate struct {
	estimate float64
	visitors int
}

// grow adds visitors to a sketch and looks at its estimate at each size up to exactVisitors, and
// from there on whenever it is a quarter larger.
func grow(seed uint64, most int) grown {
	rng := rand.New(rand.NewPCG(seed, 0x736b))
	var g grown
	s := new(sketch.Sketch)
	next := 1
	for n := 1; n <= most; n++ {
		h := rng.Uint64()
		g.hashes = append(g.hashes, h)
		s.Add(h)
		if n < next && n != most {
			continue
		}
		estimate := float64(s.Estimate())
		if n <= exactVisitors {
			next = n + 1
			if estimate != float64(n) {
				g.wrong = append(g.wrong, wrongEstimate{estimate, n})
			}
			continue
		}
		next = n + n/4
		off := math.Abs(estimate/float64(n)-1) / sketch.StdError
		g.estimates++
		g.worst = max(g.worst, off)
		if off > threeErrors {
			g.beyond++
		}
		if off > fiveErrors {
			g.wrong = append(g.wrong, wrongEstimate{estimate, n})
		}
	}
	g.bytes = s.AppendBinary(nil)
	return g
}

// remake makes a sketch of the same visitors: shuffled, in parts, some of them there twice, each
// part encoded and merged.
func remake(seed uint64, hashes []uint64) ([]byte, error) {
	rng := rand.New(rand.NewPCG(seed, 0x7265))
	all := slices.Clone(hashes)
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	whole := new(sketch.Sketch)
	for len(all) > 0 {
		n := 1 + rng.IntN(len(all))
		part := new(sketch.Sketch)
		for _, h := range all[:n] {
			part.Add(h)
		}
		part.Add(hashes[rng.IntN(len(hashes))])
		if err := whole.MergeBinary(part.AppendBinary(nil)); err != nil {
			return nil, err
		}
		all = all[n:]
	}
	return whole.AppendBinary(nil), nil
}
