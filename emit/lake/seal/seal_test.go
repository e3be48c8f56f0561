package seal

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// file is something that ends as a Parquet file does.
func file(rng *rand.Rand, body, footer int) []byte {
	b := make([]byte, body+footer)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return append(binary.LittleEndian.AppendUint32(b, uint32(footer)), "PAR1"...)
}

// TestSeal: a sealed file has the same beginning and footer, and any bit that flips in it is noticed.
func TestSeal(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		body, footer := rng.IntN(50), rng.IntN(50)
		plain := file(rng, body, footer)
		for _, f := range []func([]byte) ([]byte, error){Seal, WithFooter} {
			sealed, err := f(slices.Clone(plain))
			if err != nil || Check(sealed) != nil {
				t.Fatal(err, Check(sealed))
			}
			if !strings.HasPrefix(string(sealed), string(plain[:body])) || !strings.HasSuffix(string(sealed), string(plain[body:])) {
				t.Fatal("sealing has changed the file")
			}
			for bit := range len(sealed) * 8 {
				sealed[bit/8] ^= 1 << (bit % 8)
				if Check(sealed) == nil {
					t.Fatalf("seed %d: bit %d", seed, bit)
				}
				sealed[bit/8] ^= 1 << (bit % 8)
			}
		}
		if Check(plain) == nil {
			t.Fatal("a file without a seal passes")
		}
	}
}

// TestFooter: the footer comes out of any end of a file that is long enough, and a bit that flips in it is noticed.
func TestFooter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	plain := file(rng, 100, 30)
	sealed, err := WithFooter(slices.Clone(plain))
	if err != nil {
		t.Fatal(err)
	}
	const need = 30 + trailerLen + 2*sealLen
	for n := range len(sealed) + 1 {
		footer, want, err := Footer(sealed[len(sealed)-n:])
		switch {
		case n < trailerLen:
			if err == nil {
				t.Fatal(n)
			}
		case err != nil || want != int64(need) || (footer != nil) != (n >= need) || footer != nil && string(footer) != string(plain[100:130]):
			t.Fatal(n, footer, want, err)
		}
	}
	for bit := 8 * (len(sealed) - 30 - trailerLen); bit < 8*len(sealed); bit++ {
		damaged := slices.Clone(sealed)
		damaged[bit/8] ^= 1 << (bit % 8)
		if footer, _, err := Footer(damaged); err == nil && footer != nil {
			t.Fatalf("bit %d", bit)
		}
	}
	if once, err := Seal(slices.Clone(plain)); err != nil {
		t.Fatal(err)
	} else if _, _, err := Footer(once); err == nil {
		t.Error("a footer without a sum passes")
	}
}

// TestGuard: a panic is an error.
func TestGuard(t *testing.T) {
	if err := Guard(func() error { panic("so") }); err == nil || err.Error() != "so" {
		t.Error(err)
	}
}
