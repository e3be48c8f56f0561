package sketch

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestMix(t *testing.T) {
	// The first number of SplitMix64 seeded with 1234567, as published at rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64.
	if got := mix(1234567); got != 6457827717110365317 {
		t.Errorf("mix(1234567) = %d", got)
	}
	for _, x := range []uint64{0, 1, 1 << 63, math.MaxUint64, 0x123456789abcdef} {
		if got := mix(unmix(x)); got != x {
			t.Errorf("mix(unmix(%#x)) = %#x", x, got)
		}
	}
}

func TestRank(t *testing.T) {
	f := func(mixed uint64, want uint8) {
		t.Helper()
		if got := rank(mixed); got != want {
			t.Errorf("rank(%#x) = %d, want %d", mixed, got, want)
		}
	}
	f(1<<49, 1)
	f(1<<48, 2)
	f(math.MaxUint64, 1)
	f(1<<32, 18)
	f(1<<31, 19)
	f(1, 50)
	f(0, 51)
	f(0xfffc<<48, 51) // the register's own bits do not count
}

// TestCanonical puts a set together in many ways: cut into parts, some added several times, united along a
// random tree in memory or encoded, dense or sparse. All must give the bytes of the model.
func TestCanonical(t *testing.T) {
	for seed := range uint64(400) {
		r := newRand(seed)
		n := []int{r.IntN(70), 1400 + r.IntN(300), 3000 + r.IntN(3000)}[r.IntN(3)]
		hashes := randomHashes(r, n)
		if r.IntN(3) == 0 {
			hashes = crowded(r, n)
		}
		want := modelOf(hashes).encode()

		forest := make([]*Sketch, 1+r.IntN(9))
		for i := range forest {
			forest[i] = new(Sketch)
		}
		for i := range 1 + r.IntN(2) { // once or twice
			for _, j := range r.Perm(n) {
				if i == 0 || r.IntN(3) == 0 {
					forest[r.IntN(len(forest))].Add(hashes[j])
				}
			}
		}
		for len(forest) > 1 {
			last := len(forest) - 1
			r.Shuffle(len(forest), func(i, j int) { forest[i], forest[j] = forest[j], forest[i] })
			unite(t, r, forest[0], forest[last])
			forest = forest[:last]
		}
		if got := encode(forest[0]); !bytes.Equal(got, want) {
			t.Fatalf("seed %d, n = %d: got %d bytes %.40x, want %d bytes %.40x", seed, n, len(got), got, len(want), want)
		}
	}
}

// unite makes a the union of both, in one of four ways. It may use up b.
func unite(t *testing.T, r *rand.Rand, a, b *Sketch) {
	t.Helper()
	before := encode(b)
	switch r.IntN(4) {
	case 0:
		a.Merge(b)
	case 1:
		mustMerge(t, a, before)
	case 2: // the other way round
		b.Merge(a)
		*a = *b
		return
	default: // both through bytes, into memory that was used before
		used := sketchOf(randomHashes(r, r.IntN(3000)))
		if err := used.UnmarshalBinary(encode(a)); err != nil {
			t.Fatal(err)
		}
		mustMerge(t, used, before)
		*a = *used
	}
	if !bytes.Equal(encode(b), before) {
		t.Fatal("merging changed the argument")
	}
}

// TestThreshold looks at each size around the one where a sketch becomes dense.
func TestThreshold(t *testing.T) {
	hashes := randomHashes(newRand(1), maxSparse+5)
	s := new(Sketch)
	for i, h := range hashes {
		s.Add(h)
		s.Add(hashes[0])
		if n := i + 1; s.Dense() != (n > maxSparse) {
			t.Fatalf("n = %d: dense = %v", n, s.Dense())
		}
	}
	half := sketchOf(hashes[:maxSparse/2])
	half.Merge(sketchOf(hashes[maxSparse/2 : maxSparse]))
	if half.Dense() {
		t.Error("dense at the threshold")
	}
	half.Merge(sketchOf(hashes[maxSparse : maxSparse+1]))
	if !half.Dense() {
		t.Error("not dense past the threshold")
	}
}

func TestReplayChangesNothing(t *testing.T) {
	for _, n := range []int{1, 7, 8, 9, 15, 16, 24, 25, 1536, 1537, 50_000} {
		hashes := randomHashes(newRand(uint64(n)), n)
		s := sketchOf(hashes)
		want := encode(s)
		for _, h := range hashes {
			s.Add(h)
		}
		s.Merge(s)
		mustMerge(t, s, want)
		if !bytes.Equal(encode(s), want) {
			t.Errorf("n = %d: bytes changed", n)
		}
	}
}

func TestEmpty(t *testing.T) {
	var s Sketch
	if !s.Empty() || s.Dense() || s.Estimate() != 0 || len(encode(&s)) != 0 {
		t.Errorf("zero value: empty %v, dense %v, estimate %d, bytes %x", s.Empty(), s.Dense(), s.Estimate(), encode(&s))
	}
	s.Merge(new(Sketch))
	if err := s.MergeBinary(nil); err != nil || !s.Empty() {
		t.Errorf("nothing united with nothing: %v, empty %v", err, s.Empty())
	}
	s.Add(0)
	if s.Empty() || s.Estimate() != 1 {
		t.Errorf("one visitor: empty %v, estimate %d", s.Empty(), s.Estimate())
	}
	if err := s.UnmarshalBinary([]byte{}); err != nil || !s.Empty() {
		t.Errorf("decoded from nothing: %v, empty %v", err, s.Empty())
	}
}

// TestReset uses one sketch again and again, at sizes up and down.
func TestReset(t *testing.T) {
	r := newRand(5)
	var s Sketch
	for _, n := range []int{1000, 3, 20, 4000, 5, 1500, 9000, 0, 40} {
		hashes := randomHashes(r, n)
		s.Reset()
		if !s.Empty() || s.Dense() {
			t.Fatalf("not empty after Reset")
		}
		for _, h := range hashes {
			s.Add(h)
		}
		if !bytes.Equal(encode(&s), modelOf(hashes).encode()) {
			t.Errorf("n = %d: other bytes than a new sketch", n)
		}
	}
}

func TestCopiesAreIndependent(t *testing.T) {
	for _, n := range []int{3, 300, 3000} {
		b := encode(sketchOf(randomHashes(newRand(1), n)))
		kept := bytes.Clone(b)
		var s Sketch
		if err := s.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		s.Add(99)
		if !bytes.Equal(b, kept) {
			t.Errorf("n = %d: adding changed the bytes it was decoded from", n)
		}
		clear(b)
		if got := s.Estimate(); math.Abs(float64(got)-float64(n+1)) > 0.03*float64(n) {
			t.Errorf("n = %d: estimate %d after its bytes were overwritten", n, got)
		}
	}
}

// TestExact: every number up to the threshold, from the sketch as it grows.
func TestExact(t *testing.T) {
	for seed := range uint64(8) {
		s := new(Sketch)
		for i, h := range randomHashes(newRand(seed), maxSparse) {
			s.Add(h)
			if got := s.Estimate(); got != uint64(i+1) {
				t.Fatalf("seed %d: estimate %d of %d", seed, got, i+1)
			}
		}
	}
}

// TestAccuracy checks single estimates against three standard errors, and the mean square over all against
// one: a wrong constant in the formula hides in the first, not in the second.
func TestAccuracy(t *testing.T) {
	const seeds = 16
	for _, n := range []int{2_000, 5_000, 10_000, 20_000, 40_000, 60_000, 100_000, 250_000, 1_000_000} {
		var squares, sum float64
		for seed := range uint64(seeds) {
			r := newRand(seed<<32 | uint64(n))
			s := new(Sketch)
			for range n {
				s.Add(r.Uint64())
			}
			e := (float64(s.Estimate()) - float64(n)) / float64(n)
			if math.Abs(e) > 3*StdError {
				t.Errorf("n = %d, seed %d: estimate %d, error %.2f %%", n, seed, s.Estimate(), 100*e)
			}
			squares += e * e
			sum += e
		}
		rms, mean := math.Sqrt(squares/seeds), sum/seeds
		if rms > 1.5*StdError || math.Abs(mean) > 3*StdError/math.Sqrt(seeds) {
			t.Errorf("n = %d: rms %.3f %%, mean %.3f %%", n, 100*rms, 100*mean)
		}
		t.Logf("n = %7d: rms %.3f %%, mean %+.3f %%", n, 100*rms, 100*mean)
	}
}

// TestSequentialHashes: hashes that are anything but uniform still count, through mix.
func TestSequentialHashes(t *testing.T) {
	for _, shift := range []uint{0, 20, 40} {
		s := new(Sketch)
		const n = 100_000
		for i := range uint64(n) {
			s.Add(i << shift)
		}
		if e := float64(s.Estimate())/n - 1; math.Abs(e) > 3*StdError {
			t.Errorf("shift %d: error %.2f %%", shift, 100*e)
		}
	}
}

// TestErtlAgainstSeries sums σ and τ as they are defined, without the recurrences.
func TestErtlAgainstSeries(t *testing.T) {
	for _, x := range []float64{0, 1e-9, 0.1, 0.5, 0.9, 0.999} {
		wantSigma, wantTau := x, 1-x
		for k := 1.0; k < 60; k++ {
			wantSigma += math.Pow(x, math.Exp2(k)) * math.Exp2(k-1)
			wantTau -= math.Pow(1-math.Pow(x, math.Exp2(-k)), 2) * math.Exp2(-k)
		}
		if x == 0 {
			wantTau = 0 // the limit; the series is 1 - 1/2 - 1/4 - …
		}
		if got := sigma(x); math.Abs(got-wantSigma) > 1e-9*(1+wantSigma) {
			t.Errorf("sigma(%v) = %v, want %v", x, got, wantSigma)
		}
		if got := tau(x); math.Abs(got-wantTau/3) > 1e-9 {
			t.Errorf("tau(%v) = %v, want %v", x, got, wantTau/3)
		}
	}
	if !math.IsInf(sigma(1), 1) || tau(1) != 0 {
		t.Errorf("sigma(1) = %v, tau(1) = %v", sigma(1), tau(1))
	}
}

// TestEstimateExtremes: every histogram gives a number.
func TestEstimateExtremes(t *testing.T) {
	var all [maxRank + 1]uint32
	all[maxRank] = registers
	if got := ertl(all); got != math.MaxUint64 {
		t.Errorf("all registers full: %d", got)
	}
	all[maxRank], all[0] = 0, registers
	if got := ertl(all); got != 0 {
		t.Errorf("all registers empty: %d", got)
	}
	last := uint64(0)
	for v := 1; v <= maxRank; v++ {
		var c [maxRank + 1]uint32
		c[v] = registers
		got := ertl(c)
		if got <= last {
			t.Errorf("all registers %d: %d, all one lower: %d", v, got, last)
		}
		last = got
	}
}

// TestUniteLikeOne: the estimate of a union is that of the whole, not of a sum.
func TestUniteLikeOne(t *testing.T) {
	hashes := randomHashes(newRand(3), 30_000)
	var union Sketch
	for minute := range 60 {
		from := minute * 400
		mustMerge(t, &union, encode(sketchOf(hashes[from:from+6000])))
	}
	if got, want := union.Estimate(), sketchOf(hashes[:59*400+6000]).Estimate(); got != want {
		t.Errorf("union %d, whole %d", got, want)
	}
}

func TestNoAllocations(t *testing.T) {
	r := newRand(1)
	dst := make([]byte, 0, 64<<10)
	for _, n := range []int{1, 5, 100, 1500, 5000} {
		s := sketchOf(randomHashes(r, n))
		b := encode(s)
		dense := sketchOf(randomHashes(r, 20_000))
		h := r.Uint64()
		s.Add(h)
		f := func(name string, what func()) {
			t.Helper()
			if got := testing.AllocsPerRun(10, what); got != 0 {
				t.Errorf("n = %d: %s allocates %v times", n, name, got)
			}
		}
		f("AppendBinary", func() { s.AppendBinary(dst) })
		f("Estimate", func() { s.Estimate() })
		f("Add again", func() { s.Add(h) })
		f("Merge into itself", func() { s.Merge(s) })
		f("MergeBinary into dense", func() {
			mustMerge(t, dense, b)
		})
		f("MergeBinary again", func() {
			mustMerge(t, s, b)
		})
		if n <= maxSparse {
			f("Reset, UnmarshalBinary", func() {
				s.Reset()
				if err := s.UnmarshalBinary(b); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func Example() {
	var monday, tuesday Sketch
	for visitor := range uint64(1000) {
		monday.Add(visitor)
		tuesday.Add(visitor + 600) // 400 of them come again
	}
	stored := tuesday.AppendBinary(nil)

	fmt.Println(monday.Estimate(), tuesday.Estimate())
	if err := monday.MergeBinary(stored); err != nil {
		fmt.Println(err)
	}
	fmt.Println(monday.Estimate(), monday.Dense())
	// Output:
	// 1000 1000
	// 1602 true
}

func ExampleSketch_AppendBinary() {
	var s Sketch
	fmt.Printf("%x\n", s.AppendBinary(nil))
	s.Add(1234567)
	fmt.Printf("%x\n", s.AppendBinary(nil))
	// Output:
	//
	// 100117d09e59
}

func ExampleSketch_MergeBinary_malformed() {
	var s Sketch
	fmt.Println(s.MergeBinary([]byte{0x10, 1, 0x59, 0x9e, 0xd0}))
	fmt.Println(s.MergeBinary([]byte{0x20, 1}))
	// Output:
	// malformed sketch: sparse has 3 of 4 bytes for 1 entries
	// malformed sketch: version 2, want 1
}

// TestMark adds marks to several sketches, which are then what the hashes make them.
func TestMark(t *testing.T) {
	r := newRand(5)
	var a, b, want Sketch
	for i := range 5000 {
		h := r.Uint64()
		if i%3 == 0 {
			h &= 7 // some again
		}
		m := MarkOf(h)
		a.AddMark(m)
		b.AddMark(m)
		want.Add(h)
		if i&(i+1) == 0 && !bytes.Equal(a.AppendBinary(nil), want.AppendBinary(nil)) {
			t.Fatalf("after %d marks", i+1)
		}
	}
	if !bytes.Equal(a.AppendBinary(nil), b.AppendBinary(nil)) || !bytes.Equal(a.AppendBinary(nil), want.AppendBinary(nil)) {
		t.Error("sketches differ")
	}
}

// TestAddShort: visitors put in together are those put in one by one, whatever was there before and however often they
// come.
func TestAddShort(t *testing.T) {
	f := func(before, together int, hashes func(*rand.Rand, int) []uint64) {
		t.Helper()
		r := newRand(uint64(before)<<16 | uint64(together))
		first, then := hashes(r, before), hashes(r, together)
		for i := range then {
			if before > 0 && i%3 == 0 {
				then[i] = first[r.IntN(before)]
			}
		}
		want := encode(sketchOf(slices.Concat(first, then)))
		for _, used := range []int{0, 5, 200, 3000} {
			s := sketchOf(hashes(r, used))
			s.Reset()
			for _, h := range first {
				s.Add(h)
			}
			var list []uint32
			for _, h := range append(then, then...) {
				if e, ok := MarkOf(h).Short(); ok {
					list = append(list, e)
				} else {
					s.Add(h)
				}
			}
			for n := len(list); n > 0; n = len(list) {
				n = r.IntN(n) + 1
				s.AddShort(list[:n])
				list = list[n:]
			}
			if !bytes.Equal(encode(s), want) {
				t.Fatalf("%d and then %d, in the memory of %d: another sketch than one by one", before, together, used)
			}
			if n := s.EncodedLen(); n > len(want) || !s.Dense() && n != len(want) {
				t.Fatalf("EncodedLen %d, want %d", n, len(want))
			}
		}
	}
	for _, before := range []int{0, 1, 7, 8, 15, 16, 100, 1500, 1536, 1537} {
		for _, together := range []int{0, 1, 2, 7, 8, 9, 15, 16, 17, 24, 25, 100, 1600} {
			f(before, together, randomHashes)
			f(before, together, crowded)
		}
	}
}

// TestMergeFullTable: a sketch whose entries are all of the kind that does not tell its rank takes over a table that
// leaves no room for them.
func TestMergeFullTable(t *testing.T) {
	long := unmix(5<<50 | 1<<20)
	full := randomHashes(newRand(9), maxSparse)
	s := sketchOf([]uint64{long})
	s.Merge(sketchOf(full))
	if want := sketchOf(append(full, long)); !s.Dense() || !bytes.Equal(encode(s), encode(want)) {
		t.Errorf("dense %v, not the union", s.Dense())
	}
}
