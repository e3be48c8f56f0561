// Package sketch counts unique visitors: a HyperLogLog that is exact while it is small.
//
// # In and out
//
// In go 64-bit hashes of visitor ids, one by one ([Sketch.Add], [Sketch.AddMark]), other sketches ([Sketch.Merge]) or
// encoded ones ([Sketch.MergeBinary]). Out come an estimate of the number of distinct hashes
// ([Sketch.Estimate]) and a canonical encoding ([Sketch.AppendBinary], [Sketch.UnmarshalBinary]).
//
// # Invariants
//
//   - The encoding is a pure function of the set of hashes added. Order, repetition, how the set was cut
//     into sketches, the shape of the merge tree, and encode/decode cycles on the way change no byte.
//     So two sketches of the same visitors can be compared as bytes, and a window computed twice is the
//     same window.
//   - Up to 1,536 visitors the estimate is the exact number, unless two visitors share 32 bits of hash:
//     a chance of n²/2³³, 1 in 8,600 at n = 1,000, and then it is one too low. Above, the standard
//     error is [StdError], 0.8 %.
//   - Decoding is total and strict: any input gives a sketch or an error that wraps [ErrMalformed], what is
//     accepted encodes to the same bytes again, and an error leaves the receiver as it was.
//   - Estimates are equal on every processor: no floating-point operation may be fused.
//
// # Units
//
// Hashes are 64 bits, uniformly distributed, and should be keyed where visitors choose their own ids: who
// knows the hash can steer the estimate. The sketch passes each through one fixed mixing function (see mix),
// so that a partition chosen from bits of the same hash does not leave registers of its sketches empty.
//
// A sketch in memory takes 80 bytes, in which it has up to 7 visitors, plus 64 bytes for up to 15, then 6 to
// 12 bytes for each up to 1,536, then 16,384 in all.
//
// # Format
//
// Version 1. Numbers are big-endian where nothing else is said. A mixed hash is read from its highest bit: 14
// bits are the number of the register, the run of zeros after them gives the rank ρ = zeros + 1, in [1, 51]. The
// empty sketch is the empty string of bytes. All others begin with two bytes:
//
//	bits 15-12   version, 1
//	bits 11-0    1 to 1,536: sparse, with that many entries; 4,095: dense; all else is reserved
//
// Sparse. An entry is the first 32 bits of a mixed hash: register and 18 bits more. The n entries are distinct
// and in ascending order. Up to 8 of them are four bytes each, little-endian. More are cut into a low part
// of k = 32 - bitlen(n) bits and a high part, the rest (the quasi-succinct code of Elias and Fano; S. Vigna:
// "Quasi-succinct indices", WSDM 2013). In these two arrays bit j is the bit of value 2^(j mod 8) of byte j div 8:
//
//	ceil(n*k / 8) bytes               low part of entry i in bits i*k to i*k+k-1, its lowest bit first
//	ceil((n + 2^bitlen(n)) / 8) bytes bit h+i is set for each entry i = 0 … n-1 with the high part h
//
// All other bits are zero. So an entry takes about 34 - log2 n bits, the length depends on n alone, and a reader need
// not decode one entry to find the next. At the end stands one byte for each entry, in their order, of which
// the last 18 bits are all zero, so that the entry does not tell the rank: the greatest rank seen
// for it, in [19, 51].
//
// Dense, of 16,384 registers:
//
//	byte 2       base, the smallest register
//	bytes 3-4    x, the number of exceptions
//	8,192 bytes  byte i: register i - base in the low four bits, register i+8,192 - base in the high
//	             four; 15 stands for 15 or more, which is an exception
//	x * 3 bytes  exceptions in ascending order of register: two bytes register, one byte its value
//
// One visitor takes 6 bytes, ten take 41, a thousand 3 KB; a dense sketch takes about 8.2 KB.
//
// # Who may call
//
// A leaf, importable from anywhere in the engine and the readers. A Sketch is for one goroutine at a time;
// the methods that take no part in changing it (Estimate, AppendBinary, Empty, Dense, being the argument of
// Merge) only read, and may run together.
//
// # What it does not do
//
// It does not hash: it wants a hash. It removes nothing and intersects nothing. It reads no
// other library's sketches.
package sketch
