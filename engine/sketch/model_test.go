package sketch

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unmix is the inverse of mix, so that tests can choose mixed hashes.
func unmix(x uint64) uint64 {
	inverse := func(a uint64) uint64 { // Newton's iteration modulo 2^64
		y := a
		for range 6 {
			y *= 2 - a*y
		}
		return y
	}
	unshift := func(x uint64, n uint) uint64 {
		y := x
		for range 64 / n {
			y = x ^ y>>n
		}
		return y
	}
	x = unshift(x, 31) * inverse(0x94d049bb133111eb)
	x = unshift(x, 27) * inverse(0xbf58476d1ce4e5b9)
	return unshift(x, 30) - 0x9e3779b97f4a7c15
}

// model is a second implementation of the package, made for being plainly right: sets, maps and strings of
// zeros and ones, by the text of doc.go.
type model map[uint64]bool // mixed hashes

func modelOf(hashes []uint64) model {
	m := model{}
	for _, h := range hashes {
		m[mix(h)] = true
	}
	return m
}

func (m model) rank(x uint64) int {
	for i := range 50 {
		if x>>(49-i)&1 == 1 {
			return i + 1
		}
	}
	return 51
}

func (m model) entries() map[uint32]int {
	e := map[uint32]int{}
	for x := range m {
		e[uint32(x>>32)] = max(e[uint32(x>>32)], m.rank(x))
	}
	return e
}

func (m model) encode() []byte {
	entries := m.entries()
	switch {
	case len(entries) == 0:
		return nil
	case len(entries) > 1536:
		return m.encodeDense()
	}
	var sorted []uint32
	for e := range entries {
		sorted = append(sorted, e)
	}
	slices.Sort(sorted)
	n := len(sorted)
	b := []byte{byte(0x10 + n/256), byte(n)}
	k, high := 32, ""
	if n > 8 {
		k = 32 - len(strconv.FormatInt(int64(n), 2))
		high = strings.Repeat("0", n+1<<(32-k))
	}
	low, ones := make([]string, n), []byte(high)
	for i, e := range sorted {
		low[n-1-i] = fmt.Sprintf("%0*b", k, int(e)%(1<<k))
		if n > 8 {
			ones[len(ones)-1-int(e)>>k-i] = '1'
		}
	}
	b = append(b, bytesOf(strings.Join(low, ""))...)
	b = append(b, bytesOf(string(ones))...)
	for _, e := range sorted {
		if e%(1<<18) == 0 {
			b = append(b, byte(entries[e]))
		}
	}
	return b
}

// bytesOf turns a binary number into bytes, the lowest first.
func bytesOf(text string) (b []byte) {
	text = strings.Repeat("0", (8-len(text)%8)%8) + text
	for ; text != ""; text = text[:len(text)-8] {
		x, _ := strconv.ParseUint(text[len(text)-8:], 2, 8)
		b = append(b, byte(x))
	}
	return b
}

func (m model) registers() []int {
	regs := make([]int, 1<<14)
	for x := range m {
		regs[x>>50] = max(regs[x>>50], m.rank(x))
	}
	return regs
}

func (m model) encodeDense() []byte {
	regs := m.registers()
	base := slices.Min(regs)
	var exceptions []byte
	nibble := func(i int) byte { return byte(min(regs[i]-base, 15)) }
	for i, r := range regs {
		if r-base >= 15 {
			exceptions = append(exceptions, byte(i>>8), byte(i), byte(r))
		}
	}
	n := len(exceptions) / 3
	b := []byte{0x1f, 0xff, byte(base), byte(n >> 8), byte(n)}
	for i := range 8192 {
		b = append(b, nibble(i)+nibble(i+8192)<<4)
	}
	return append(b, exceptions...)
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func randomHashes(r *rand.Rand, n int) []uint64 {
	h := make([]uint64, n)
	for i := range h {
		h[i] = r.Uint64()
	}
	return h
}

// crowded are hashes that random ones are not: many with no tail, of one register, of neighbouring entries.
func crowded(r *rand.Rand, n int) []uint64 {
	h := make([]uint64, n)
	for i := range h {
		x := r.Uint64()
		switch r.IntN(4) {
		case 0: // no tail, any rank
			x = x>>50<<50 | x&(1<<32-1)>>r.IntN(33)
		case 1: // the end of the table
			x |= (1<<20 - 1) << 44
		case 2: // one register
			x = x<<14>>14 | 77<<50
		}
		h[i] = unmix(x)
	}
	return h
}

func sketchOf(hashes []uint64) *Sketch {
	s := new(Sketch)
	for _, h := range hashes {
		s.Add(h)
	}
	return s
}

func encode(s *Sketch) []byte { return s.AppendBinary(nil) }

func mustMerge(tb testing.TB, s *Sketch, b []byte) {
	tb.Helper()
	if err := s.MergeBinary(b); err != nil {
		tb.Fatal(err)
	}
}
