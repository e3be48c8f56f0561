package event

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

// TestPartitionsAreFrozen: what is in a topic lies where these functions put it. A change loses the state of every
// site. The hashes were computed with Python, from FNV-1a's definition.
func TestPartitionsAreFrozen(t *testing.T) {
	f := func(site string, shard uint16, hash uint32, of4, of64 int32) {
		t.Helper()
		key := site + "|29000000" // a window's, see window.RecordKey
		if shard != 0 {
			key += fmt.Sprintf("|%d", shard)
		}
		if got := Hash(key); got != hash {
			t.Errorf("Hash(%q) = %d, want %d", key, got, hash)
		}
		if a, b := Partition(site, shard, 4), Partition(site, shard, 64); a != of4 || b != of64 {
			t.Errorf("%s shard %d: partitions %d and %d, want %d and %d", site, shard, a, b, of4, of64)
		}
	}
	f("a.example", 0, 1956637892, 0, 4)
	f("b.example", 0, 2018734162, 2, 18)
	f("shop.example.com", 0, 1735339839, 3, 63)
	f("shop.example.com", 1, 1752118184, 0, 40)
	f("shop.example.com", 258, 259080595, 3, 19)
	f("-", 0, 1101141805, 1, 45)
	f(strings.Repeat("a", 253), 0, 1556781222, 2, 38)
}

func TestKeys(t *testing.T) {
	for _, n := range []int32{0, 1, 9, 10, 63, 99_999, math.MaxInt32} {
		if got := Hash(Key(n)); got != uint32(n) {
			t.Errorf("Hash(Key(%d)) = %d", n, got)
		}
	}
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f(Key(7), "#7")
	for _, odd := range []string{"", "#", "#x", "#-1", "#99999999999", "|", "a|b|c", "a||99999999"} {
		if Hash(odd) > math.MaxInt32 {
			t.Errorf("Hash(%q) is negative as an int32", odd)
		}
	}
	h := NewHasher()
	for range 2 {
		h.Reset()
		h.Write([]byte("#4"))
		h.Write([]byte("2"))
		if got := h.Sum32(); got != 42 {
			t.Errorf("the hasher gives %d, want 42", got)
		}
	}
}

func TestMoney(t *testing.T) {
	f := func(in string, money Money, out string) {
		t.Helper()
		got, err := ParseMoney(in)
		if err != nil || got != money || got.String() != out {
			t.Errorf("%q: %d %s %v, want %d %s", in, got, got, err, money, out)
		}
	}
	f("0", 0, "0")
	f("-0", 0, "0")
	f("1", 10_000, "1")
	f("007", 70_000, "7")
	f("12.5", 125_000, "12.5")
	f("-3", -30_000, "-3")
	f("0.0001", 1, "0.0001")
	f("-0.01", -100, "-0.01")
	f("1.00004", 10_000, "1")
	f("1.00005", 10_001, "1.0001")
	f("-1.00005", -10_001, "-1.0001")
	f("1.99995", 20_000, "2")
	f("0.000049999", 0, "0")
	f("99999999999999.9999", 999_999_999_999_999_999, "99999999999999.9999")
	bad := func(in string) {
		t.Helper()
		if m, err := ParseMoney(in); err == nil {
			t.Errorf("%q was read as %s", in, m)
		}
	}
	for _, in := range []string{"", "-", ".", ".5", "1.", "1.-5", "--1", "+1", "1e5", "1,5", " 1", "1 ", "0x1", "NaN", "1.5.5",
		"100000000000000", "99999999999999.99995", "-99999999999999.99999", "１", "1\x00", strings.Repeat("9", 100)} {
		bad(in)
	}
	for m, want := range map[Money]string{math.MaxInt64: "922337203685477.5807", math.MinInt64: "-922337203685477.5808"} {
		if m.String() != want {
			t.Errorf("got %s, want %s", m, want)
		}
	}
}

func TestValidSite(t *testing.T) {
	for _, ok := range []string{"a", "a.example", "-", "0", strings.Repeat("a", 253)} {
		if err := ValidSite(ok); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "A", "a_b", "a/b", "a|b", "#1", "a b", "é", "a\x00", strings.Repeat("a", 254)} {
		if err := ValidSite(bad); !errors.Is(err, ErrSite) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestTimeAndVisitor(t *testing.T) {
	f := func(t0, want Time) {
		t.Helper()
		if got := t0.Floor(Minute); got != want {
			t.Errorf("Floor(%d) = %d, want %d", t0, got, want)
		}
	}
	f(0, 0)
	f(59_999, 0)
	f(60_000, 60_000)
	f(-1, -60_000)
	f(-60_000, -60_000)
	if got := Time(1_772_625_600_123).String(); got != "2026-03-04T12:00:00.123Z" || TimeOf(Time(-5).Std()) != -5 {
		t.Errorf("got %s", got)
	}
	for _, v := range []Visitor{0, 1, 0xff, math.MaxUint64} {
		if got, err := ParseVisitor(v.String()); err != nil || got != v || len(v.String()) != 16 {
			t.Errorf("%d: %s %v", v, got, err)
		}
	}
	for _, bad := range []string{"", "g", "-1", "00000000000000000", "0x1", "1_0"} {
		if v, err := ParseVisitor(bad); err == nil {
			t.Errorf("%q was read as %s", bad, v)
		}
	}
}

// A site id is found valid or not wherever a character stands in it, whatever its length.
func TestValidSiteCharacters(t *testing.T) {
	const valid = "abcdefghijklmnopqrstuvwxyz0123456789.-"
	for n := 1; n < 20; n++ {
		id := []byte((valid + valid)[n : 2*n])
		for i := range id {
			was := id[i]
			for c := range 256 {
				id[i] = byte(c)
				if want := strings.IndexByte(valid, byte(c)) >= 0; (ValidSite(string(id)) == nil) != want {
					t.Fatalf("%q: valid is %v", id, !want)
				}
			}
			id[i] = was
		}
	}
}
