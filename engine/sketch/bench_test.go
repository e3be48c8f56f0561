package sketch

import (
	"fmt"
	"testing"
)

var sizes = []int{1, 3, 10, 100, 1000, 1536, 10_000, 100_000}

func bySize(b *testing.B, f func(b *testing.B, n int)) {
	for _, n := range sizes {
		b.Run(fmt.Sprint("n=", n), func(b *testing.B) {
			b.ReportAllocs()
			f(b, n)
		})
	}
}

func perEntry(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/visitor")
}

// BenchmarkAdd fills a new sketch, its memory included.
func BenchmarkAdd(b *testing.B) {
	bySize(b, func(b *testing.B, n int) {
		hashes := randomHashes(newRand(1), n)
		for b.Loop() {
			var s Sketch
			for _, h := range hashes {
				s.Add(h)
			}
		}
		perEntry(b, n)
	})
}

// BenchmarkAddReset fills one sketch again and again.
func BenchmarkAddReset(b *testing.B) {
	bySize(b, func(b *testing.B, n int) {
		hashes := randomHashes(newRand(1), n)
		var s Sketch
		for b.Loop() {
			s.Reset()
			for _, h := range hashes {
				s.Add(h)
			}
		}
		perEntry(b, n)
	})
}

// BenchmarkAddAgain adds visitors that are known, in an order that the processor does not learn.
func BenchmarkAddAgain(b *testing.B) {
	bySize(b, func(b *testing.B, n int) {
		r := newRand(1)
		known := randomHashes(r, n)
		s := sketchOf(known)
		hashes := make([]uint64, 1<<16)
		for i := range hashes {
			hashes[i] = known[r.IntN(n)]
		}
		i := 0
		for b.Loop() {
			s.Add(hashes[i&(len(hashes)-1)])
			i++
		}
	})
}

func BenchmarkAppendBinary(b *testing.B) {
	bySize(b, func(b *testing.B, n int) {
		s := sketchOf(randomHashes(newRand(1), n))
		dst := s.AppendBinary(nil)
		for b.Loop() {
			dst = s.AppendBinary(dst[:0])
		}
		b.ReportMetric(float64(len(dst)), "bytes")
	})
}

func BenchmarkUnmarshalBinary(b *testing.B) {
	bySize(b, func(b *testing.B, n int) {
		enc := encode(sketchOf(randomHashes(newRand(1), n)))
		var s Sketch
		for b.Loop() {
			if s.UnmarshalBinary(enc) != nil {
				b.Fatal("malformed")
			}
		}
	})
}

// BenchmarkMergeBinary unites 64 encoded sketches of n visitors, half of them in common with the one before, as
// a query over an hour does, in memory that is there. Time is that of one of the 64.
func BenchmarkMergeBinary(b *testing.B) {
	bySize(b, func(b *testing.B, n int) {
		const minutes = 64
		hashes := randomHashes(newRand(1), n*(minutes+1))
		var enc [minutes][]byte
		for i := range enc {
			enc[i] = encode(sketchOf(hashes[i*n/2:][:n]))
		}
		var s Sketch
		i := 0
		for b.Loop() {
			if i%minutes == 0 {
				s.Reset()
			}
			if s.MergeBinary(enc[i%minutes]) != nil {
				b.Fatal("malformed")
			}
			i++
		}
	})
}

// BenchmarkMergeBinaryIntoDense unites with a sketch of many visitors.
func BenchmarkMergeBinaryIntoDense(b *testing.B) {
	bySize(b, func(b *testing.B, n int) {
		r := newRand(1)
		enc := encode(sketchOf(randomHashes(r, n)))
		s := sketchOf(randomHashes(r, 50_000))
		for b.Loop() {
			if s.MergeBinary(enc) != nil {
				b.Fatal("malformed")
			}
		}
	})
}

func BenchmarkMerge(b *testing.B) {
	bySize(b, func(b *testing.B, n int) {
		r := newRand(1)
		o := sketchOf(randomHashes(r, n))
		s := sketchOf(randomHashes(r, n))
		for b.Loop() {
			s.Merge(o)
		}
	})
}

func BenchmarkEstimate(b *testing.B) {
	bySize(b, func(b *testing.B, n int) {
		s := sketchOf(randomHashes(newRand(1), n))
		for b.Loop() {
			s.Estimate()
		}
	})
}

// BenchmarkAddShort fills a sketch with a list, in memory that is there, as the windows of a minute do. The lists differ, so that
// the processor does not learn them.
func BenchmarkAddShort(b *testing.B) {
	bySize(b, func(b *testing.B, n int) {
		r := newRand(1)
		lists := make([][]uint32, max(2, 200_000/n))
		for i := range lists {
			for _, h := range randomHashes(r, n) {
				if e, ok := MarkOf(h).Short(); ok {
					lists[i] = append(lists[i], e)
				}
			}
		}
		var s Sketch
		i := 0
		for b.Loop() {
			s.Reset()
			s.AddShort(lists[i%len(lists)])
			i++
		}
		perEntry(b, n)
	})
}
