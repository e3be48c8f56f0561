package sketch

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"math/bits"
	"slices"
	"strings"
	"testing"
)

// TestGolden holds the format fast: these bytes are on disks.
func TestGolden(t *testing.T) {
	counting := func(n int) []uint64 {
		h := make([]uint64, n)
		for i := range h {
			h[i] = uint64(i)
		}
		return h
	}
	f := func(hashes []uint64, want string) {
		t.Helper()
		if got := hex.EncodeToString(encode(sketchOf(hashes))); got != want {
			t.Errorf("%d hashes: got %s, want %s", len(hashes), got, want)
		}
	}
	f(nil, "")
	f([]uint64{1234567}, "1001"+"17d09e59")
	f([]uint64{unmix(0)}, "1001"+"00000000"+"33")                                     // entry 0, rank 51
	f([]uint64{unmix(1<<50 | 1<<31), unmix(1<<50 | 1)}, "1001"+"00000400"+"32")       // one entry, ranks 19 and 50
	f([]uint64{unmix(5 << 32), unmix(4 << 32)}, "1002"+"04000000"+"05000000")         // neighbours
	f([]uint64{unmix(^uint64(0)), unmix(3 << 50)}, "1002"+"00000c00"+"ffffffff"+"33") // the greatest entry

	sums := func(n int, length int, want uint32) {
		t.Helper()
		b := encode(sketchOf(counting(n)))
		if got := crc32.ChecksumIEEE(b); len(b) != length || got != want {
			t.Errorf("0 to %d: %d bytes with CRC-32 %#08x, want %d with %#08x", n-1, len(b), got, length, want)
		}
	}
	sums(9, 38, 0xe5529093)
	sums(100, 344, 0x3484bffc)
	sums(1536, 4482, 0xb24cb851)
	sums(1537, 8197, 0xcef406d2)
	sums(100_000, 8215, 0x127221fc)
}

// TestModel compares with the second implementation where the layouts change, and decodes again.
func TestModel(t *testing.T) {
	r := newRand(2)
	for _, n := range []int{1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 24, 25, 63, 64, 511, 1024, 1535, 1536, 1537, 8000, 300_000} {
		for _, hashes := range [][]uint64{randomHashes(r, n), crowded(r, n)} {
			s := sketchOf(hashes)
			m := modelOf(hashes)
			want := m.encode()
			if got := encode(s); !bytes.Equal(got, want) {
				t.Fatalf("n = %d: got %.60x, want %.60x", n, got, want)
			}
			if !s.dense && s.Estimate() != uint64(len(m.entries())) {
				t.Errorf("n = %d: estimate %d of %d entries", n, s.Estimate(), len(m.entries()))
			}
			var back Sketch
			if err := back.UnmarshalBinary(want); err != nil {
				t.Fatalf("n = %d: %v", n, err)
			}
			if got := encode(&back); !bytes.Equal(got, want) || back.Estimate() != s.Estimate() {
				t.Errorf("n = %d: decoded and encoded: other bytes", n)
			}
		}
	}
}

// TestForgedTable: entries that no hash function would give, all of one home slot or of the last ones.
func TestForgedTable(t *testing.T) {
	for name, entry := range map[string]func(i uint64) uint64{
		"last":  func(i uint64) uint64 { return 1<<32 - 1 - i },
		"first": func(i uint64) uint64 { return 1 + i },
		"ends":  func(i uint64) uint64 { return (1 + i) ^ -(i&1)&(1<<32-1) },
		"long":  func(i uint64) uint64 { return i << 18 },
	} {
		var hashes []uint64
		for i := range uint64(maxSparse) {
			hashes = append(hashes, unmix(entry(i)<<32|1))
		}
		want := modelOf(hashes).encode()
		backwards := slices.Clone(hashes)
		slices.Reverse(backwards)
		for _, order := range [][]uint64{hashes, backwards} {
			s := sketchOf(order)
			if s.Dense() || !bytes.Equal(encode(s), want) {
				t.Fatalf("%s: dense %v, or other bytes than the model", name, s.Dense())
			}
			var back Sketch
			if err := back.UnmarshalBinary(want); err != nil || !bytes.Equal(encode(&back), want) {
				t.Errorf("%s: decoding: %v", name, err)
			}
		}
	}
}

// TestDenseRange: registers far apart, which need exceptions, and high bases.
func TestDenseRange(t *testing.T) {
	r := newRand(7)
	for _, base := range []int{0, 1, 30, 36, 37, 45, 51} {
		s := &Sketch{dense: true, regs: new([registers]uint8)}
		for i := range s.regs {
			s.regs[i] = uint8(base + r.IntN(maxRank-base+1))
		}
		s.regs[r.IntN(registers)] = uint8(base)
		b := encode(s)
		var back Sketch
		if err := back.UnmarshalBinary(b); err != nil {
			t.Fatalf("base %d: %v", base, err)
		}
		if *back.regs != *s.regs || b[2] != uint8(base) {
			t.Errorf("base %d: encoded as %d, or decoded registers differ", base, b[2])
		}
	}
}

// TestMergeRegisters compares eight-at-a-time with one-at-a-time.
func TestMergeRegisters(t *testing.T) {
	r := newRand(8)
	var a, b, want [registers]uint8
	for i := range a {
		a[i], b[i] = uint8(r.IntN(52)), uint8(r.IntN(52))
		want[i] = max(a[i], b[i])
	}
	if maxRegisters(&a, &b); a != want {
		t.Error("wrong maximum")
	}
	for range 200 {
		for i := range a {
			a[i] = uint8(20 + r.IntN(32))
		}
		if got := minRegister(&a); got != slices.Min(a[:]) {
			t.Fatalf("minimum %d, want %d", got, slices.Min(a[:]))
		}
	}
}

func TestMergeBinaryIsUnmarshalAndMerge(t *testing.T) {
	r := newRand(4)
	sizes := []int{0, 1, 12, 900, 1536, 4000}
	for _, n := range sizes {
		for _, m := range sizes {
			one, other := randomHashes(r, n), crowded(r, m)
			b := encode(sketchOf(other))
			got, want := sketchOf(one), sketchOf(one)
			mustMerge(t, got, b)
			var o Sketch
			if err := o.UnmarshalBinary(b); err != nil {
				t.Fatal(err)
			}
			want.Merge(&o)
			if !bytes.Equal(encode(got), encode(want)) {
				t.Errorf("%d united with %d: bytes differ", n, m)
			}
		}
	}
}

// TestMalformed damages encodings in each way that the format knows. The message must name the damage and the sketch
// must stay as it was.
func TestMalformed(t *testing.T) {
	r := newRand(6)
	untouched := []*Sketch{new(Sketch), sketchOf(randomHashes(r, 4)), sketchOf(randomHashes(r, 700)), sketchOf(randomHashes(r, 2500))}
	f := func(b []byte, want string) {
		t.Helper()
		for _, s := range untouched {
			before := encode(s)
			for _, err := range []error{s.MergeBinary(b), s.UnmarshalBinary(b)} {
				if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q", err, want)
				}
			}
			if !bytes.Equal(encode(s), before) {
				t.Errorf("%q changed the sketch", want)
			}
		}
	}
	un := func(s string) []byte { b, _ := hex.DecodeString(s); return b }
	f(un("10"), "header has 1 byte of 2")
	f(un("0001599ed017"), "version 0, want 1")
	f(un("f001599ed017"), "version 15, want 1")
	f(un("1000"), "sparse with 0 entries")
	f(un("1601"), "sparse with 1537 entries, at most 1536")
	f(un("1001"), "sparse has 0 of 4 bytes for 1 entries")
	f(un("1002599ed017599ed0"), "sparse has 7 of 8 bytes for 2 entries")
	f(un("1001599ed01700"), "sparse has 1 trailing bytes")
	f(un("10020200000001000000"), "sparse entry 2 of 2 is not above the one before")
	f(un("10020200000002000000"), "sparse entry 2 of 2 is not above the one before")
	f(un("100100000400"), "sparse has 0 of 1 ranks")
	f(un("10010000040012"), "sparse rank 1 is 18, want 19 to 51")
	f(un("10010000040034"), "sparse rank 1 is 52")

	const n = 1001 // 22 bits of each entry in low, 2,753 bytes of which the last has two to spare, then 254 of high
	hashes := randomHashes(r, n)
	many := func(change func(b []byte) []byte) []byte { return change(encode(sketchOf(hashes))) }
	size := len(encode(sketchOf(hashes)))
	for cut := headerLen; cut < size; cut += 97 {
		f(many(func(b []byte) []byte { return b[:cut] }), "bytes for 1001 entries")
	}
	f(many(func(b []byte) []byte { return append(b, 0) }), "sparse has 1 trailing bytes")
	f(many(func(b []byte) []byte { b[2+2752] |= 0x80; return b }), "bits set after the last low part")
	f(many(func(b []byte) []byte { clear(b[2+2753:]); return b }), "sparse has 0 high parts for 1001 entries")
	f(many(func(b []byte) []byte { b[size-1] ^= 0x80; return b }), "sparse has 1002 high parts for 1001 entries")
	f(many(func(b []byte) []byte {
		high := b[2+2753:]
		last := len(high) - 1
		for high[last] == 0 {
			last--
		}
		high[last] ^= 1 << (bits.Len8(high[last]) - 1) // the highest one goes beyond the end
		high[len(high)-1] |= 0x80
		return b
	}), "sparse entry 1001 of 1001 is not above the one before, or exceeds 32 bits")
	f(many(func(b []byte) []byte { // all high parts equal
		clear(b[2+2753:])
		for i := range n {
			b[2+2753+i/8] |= 1 << (i % 8)
		}
		return b
	}), "of 1001 is not above the one before")

	damaged := func(change func(b []byte) []byte) []byte {
		s := &Sketch{dense: true, regs: new([registers]uint8)}
		for i := range s.regs {
			s.regs[i] = uint8(2 + i%8)
		}
		s.regs[100], s.regs[9000] = 20, 30
		return change(encode(s))
	}
	set := func(at int, v ...byte) []byte {
		return damaged(func(b []byte) []byte { copy(b[at:], v); return b })
	}
	f(damaged(func(b []byte) []byte { return b[:100] }), "dense has 100 bytes, at least 8197")
	f(damaged(func(b []byte) []byte { return b[:len(b)-1] }), "dense has 5 bytes of 2 exceptions")
	f(damaged(func(b []byte) []byte { return append(b, 1) }), "dense has 1 trailing bytes")
	f(set(2, 52), "dense base is 52, at most 51")
	f(set(2, 45), "dense has register 52, at most 51")
	f(set(denseLen, 0, 101), "dense exception 1 for register 101, which wants none")
	f(set(denseLen, 64, 0), "dense exception 1 for register 16384 of 16384")
	f(set(denseLen+3, 0, 100), "dense exception 2 for register 100 comes after 100")
	f(set(denseLen+2, 16), "dense exception 1 is 16, want 17 to 51")
	f(set(denseLen+2, 52), "dense exception 1 is 52, want 17 to 51")
	f(set(5, 0x0f), "dense has 2 exceptions for 3 registers that want one")
	f(damaged(func(b []byte) []byte {
		for i := range b[5:denseLen] {
			b[5+i] = max(b[5+i], 1) | 0x11
		}
		return b
	}), "dense base 2 is not the smallest register")
	f(append([]byte{0x1f, 0xff, 0, 0, 0}, make([]byte, half)...), "dense with no register set")
}

func FuzzUnmarshalBinary(f *testing.F) {
	r := newRand(9)
	for _, n := range []int{0, 1, 2, 8, 9, 30, 1536, 1537, 100_000} {
		f.Add(encode(sketchOf(randomHashes(r, n))))
		b := encode(sketchOf(crowded(r, n)))
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	for _, version := range []uint16{0, 0x1000, 0x1001, 0x1009, 0x1600, 0x1601, 0x1fff, 0x2001} {
		f.Add(append(binary.BigEndian.AppendUint16(nil, version), make([]byte, 40)...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Sketch
		if err := s.UnmarshalBinary(b); err != nil {
			if !errors.Is(err, ErrMalformed) || !s.Empty() {
				t.Fatalf("error %v, empty %v", err, s.Empty())
			}
			return
		}
		if got := encode(&s); !bytes.Equal(got, b) {
			t.Fatalf("accepted %.60x, encodes to %.60x", b, got)
		}
		estimate := s.Estimate()
		if err := s.MergeBinary(b); err != nil || s.Estimate() != estimate || (estimate == 0) != s.Empty() {
			t.Fatalf("united with itself: %v, estimate %d, was %d", err, s.Estimate(), estimate)
		}
	})
}
