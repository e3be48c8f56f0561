package sketch

import "math/bits"

const (
	precision = 14                 // bits of the mixed hash that choose the register
	registers = 1 << precision     // m in the literature
	maxRank   = 64 - precision + 1 // rank of a hash whose other 50 bits are all zero
	tailBits  = 32 - precision     // bits of an entry after the register
	tailMask  = 1<<tailBits - 1    // an entry with none of them set does not tell its rank
)

// maxSparse is the greatest number of entries of a sparse sketch: one more and it is dense.
//
// At 1,536 a sparse sketch takes half of what a dense one does, in memory (9 KB of 16) and encoded (4.5 KB of
// 8.2), and uniting it with another takes 1.5 to 2.5 times as long. Beyond, exactness is paid for in time at
// each union; by 3,000 in bytes as well. Much lower, and sites of a thousand visitors would lose their
// exact numbers. It is also three quarters of 2,048, the fullest that the largest table may be.
const maxSparse = 1536

// StdError is the relative standard error of the estimate of a dense sketch, 1.04/√m for m = 16,384 registers:
// two thirds of the estimates are closer than 0.8125 %, 997 of 1,000 closer than 2.44 %.
const StdError = 1.04 / 128

// Sketch holds a set of hashes well enough to say how many they are. The zero value is the empty sketch, ready
// to use. A Sketch must not be copied after its first Add; see the package comment for who may share it.
//
// It is sparse or dense. Sparse, it knows the entries (32-bit prefixes of the mixed hashes) themselves, and
// for the one in 262,144 that does not tell its rank, that too. Dense, it knows the maximal rank of each register.
//
// Why the encoding depends on nothing but the set S that was added: let E(S) be the distinct entries of S, each
// with its greatest rank, and R(S) the registers. E and R are unions and maxima, so they are
// commutative, associative and idempotent; R(S) can be had from E(S), since an entry tells register and rank.
// A sketch of S is sparse and holds E(S) if |E(S)| <= maxSparse, else it is dense and holds R(S). |E| never falls
// as S grows. So if some part of S was dense, then S has more than maxSparse entries and must be dense too; and
// R(S) is the maximum over the parts, dense or sparse. If no part was dense, every entry of S is still
// known when the last two parts meet, and counting them decides. Nothing else enters the decision: in
// particular not the number of adds, nor the bytes that the entries would take.
type Sketch struct {
	n     uint16            // entries in list or tab
	limit uint16            // grow when n exceeds it
	bits  uint8             // tab has 2^bits home slots
	dense bool              //
	long  *[]uint64         // entry<<8 | rank, ascending: those that do not tell their rank; empty when dense
	list  [listLen]uint32   // what tab is when there are more: most sketches are of a few visitors
	tab   []uint32          // entries that tell their rank, see sparse.go; empty when dense
	regs  *[registers]uint8 // in use only when dense, else nil or memory kept by Reset
}

// mix makes of a hash another: a bijection in which each bit of the input changes each of the output with a
// probability near one half. It is one step of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom
// number generators", OOPSLA 2014; the constants of the reference code by S. Vigna, prng.di.unimi.it/splitmix64.c, which are
// D. Stafford's "Mix13"). It is part of the format and can't be changed.
func mix(h uint64) uint64 {
	h += 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// rank is the place of the first one bit after the register's, from 1; maxRank if there is none.
func rank(mixed uint64) uint8 {
	return uint8(bits.LeadingZeros64(mixed<<precision|1<<(precision-1))) + 1
}

// entryRank is rank for an entry that tells it, in [1, 18].
func entryRank(e uint32) uint8 {
	return uint8(bits.LeadingZeros32(e<<precision)) + 1
}

// Mark is what a hash leaves in a sketch. Who adds one visitor to many sketches computes it once.
type Mark struct {
	entry uint32
	rank  uint8
}

// MarkOf returns the mark of a hash.
func MarkOf(hash uint64) Mark {
	x := mix(hash)
	return Mark{uint32(x >> 32), rank(x)}
}

// Hash returns 32 well-mixed bits of the mark, for tables of visitors.
func (m Mark) Hash() uint32 { return m.entry }

// Add puts the visitor with this hash into the set. Adding one again changes nothing.
func (s *Sketch) Add(hash uint64) { s.AddMark(MarkOf(hash)) }

// AddMark is Add for the hash that the mark is of.
func (s *Sketch) AddMark(m Mark) {
	switch {
	case s.dense:
		s.raise(m.entry>>tailBits, m.rank)
	case m.entry&tailMask != 0:
		s.insert(m.entry)
	default:
		s.insertLong(m.entry, m.rank)
	}
}

// Short returns the mark as AddShort takes it, if it fits: it does not once in 262,144 times.
func (m Mark) Short() (short uint32, ok bool) { return m.entry, m.entry&tailMask != 0 }

// AddShort is AddMark for a list of marks, each as Mark.Short has it. One of many is faster than many of one: the memory
// that they need is taken at once.
func (s *Sketch) AddShort(list []uint32) {
	if !s.dense {
		list = s.insertAll(list)
	}
	for _, e := range list {
		s.raise(e>>tailBits, entryRank(e))
	}
}

// Merge makes s the union of s and o. It does not change o, and allocates only if s grows.
func (s *Sketch) Merge(o *Sketch) {
	if o.dense {
		s.densify()
		maxRegisters(s.regs, o.regs)
		return
	}
	if s.n == 0 && !s.dense {
		s.copyTable(o)
	} else {
		var buf [packed]uint32
		for slots := o.slots(); len(slots) > 0; {
			var list []uint32
			list, slots = pack(&buf, slots)
			for _, e := range list {
				s.addEntry(e)
			}
		}
	}
	for _, l := range o.longs() {
		s.addLong(uint32(l>>8), uint8(l))
	}
}

// Reset makes s empty and keeps its memory for what comes next: up to 9 KB, or 16 KB after it was dense.
func (s *Sketch) Reset() {
	if s.long != nil {
		*s.long = (*s.long)[:0]
	}
	*s = Sketch{tab: s.tab[:0], long: s.long, regs: s.regs}
}

// Empty tells whether nothing was added.
func (s *Sketch) Empty() bool { return !s.dense && s.count() == 0 }

// Dense tells whether s has passed from exact counting to estimation.
func (s *Sketch) Dense() bool { return s.dense }

// count is the number of entries.
//
// REQUIRES: not dense.
func (s *Sketch) count() int { return int(s.n) + len(s.longs()) }

// addEntry is Add for an entry that tells its rank, whatever form s has.
func (s *Sketch) addEntry(e uint32) {
	if s.dense {
		s.raise(e>>tailBits, entryRank(e))
	} else {
		s.insert(e)
	}
}

// addLong is Add for an entry that does not tell its rank, whatever form s has.
func (s *Sketch) addLong(e uint32, rank uint8) {
	if s.dense {
		s.raise(e>>tailBits, rank)
	} else {
		s.insertLong(e, rank)
	}
}
