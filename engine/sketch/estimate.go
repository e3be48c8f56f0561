package sketch

import "math"

// Estimate is the number of distinct hashes added, rounded to a whole one; 0 for the empty sketch.
//
// For a sparse sketch that is linear counting (Whang, Vander-Zanden, Taylor: "A linear-time probabilistic counting
// algorithm", 1990) over 2³² cells of which v are taken: 2³² ln(2³²/(2³²-v)) = v + v²/2³³ + …, which rounds to v for
// all v below 65,000. So it is the number of entries. For a dense one see ertl.
func (s *Sketch) Estimate() uint64 {
	if !s.dense {
		return uint64(s.count())
	}
	return ertl(histogram(s.regs))
}

// histogram counts the registers by value. Four counters for each value, because neighbours are often equal,
// and an increment waits for the last one of the same counter.
func histogram(regs *[registers]uint8) [maxRank + 1]uint32 {
	var c [4][64]uint32
	for i := 0; i < registers; i += 4 {
		c[0][regs[i]&63]++
		c[1][regs[i+1]&63]++
		c[2][regs[i+2]&63]++
		c[3][regs[i+3]&63]++
	}
	var h [maxRank + 1]uint32
	for v := range h {
		h[v] = c[0][v] + c[1][v] + c[2][v] + c[3][v]
	}
	return h
}

// ertl is the improved raw estimator of O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches",
// arXiv:1702.01284 (2017), section 2.5, algorithm 6: with C_k the number of registers of value k, q = 50,
//
//	n = α∞ m² / ( m σ(C_0/m) + Σ_{k=1..q} C_k 2^-k + m τ(1 - C_{q+1}/m) 2^-q ),  α∞ = 1/(2 ln 2)
//
// It needs no table of bias corrections, and has no seam between ranges. Products that are added to
// something are converted explicitly, which forbids fusing the two (Go specification, "Floating-point
// operators"): arm64 must round as amd64 does. It saturates at the greatest uint64.
func ertl(c [maxRank + 1]uint32) uint64 {
	const m = registers
	z := m * tau(1-float64(c[maxRank])/m)
	for k := maxRank - 1; k >= 1; k-- {
		z = 0.5 * (z + float64(c[k]))
	}
	z += float64(m * sigma(float64(c[0])/m))
	n := math.Round(m / (2 * math.Ln2) * m / z)
	if n >= 1<<64 {
		return math.MaxUint64
	}
	return uint64(n)
}

// sigma is σ(x) = x + Σ_{k>=1} x^(2^k) 2^(k-1), for x in [0, 1].
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		last := z
		z += float64(x * y)
		y += y
		if z == last {
			return z
		}
	}
}

// tau is τ(x) = (1 - x - Σ_{k>=1} (1 - x^(2^-k))² 2^-k) / 3, for x in [0, 1].
func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		last := z
		y *= 0.5
		d := 1 - x
		z -= float64(d * d * y)
		if z == last {
			return z / 3
		}
	}
}
