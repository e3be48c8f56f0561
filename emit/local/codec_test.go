package local

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/engine/event"
	"millrace/engine/window"
)

// compareKeys says how two keys of one table are ordered, by their fields.
func compareKeys(a, b *rollupKey) int {
	if c := strings.Compare(a.site, b.site); c != 0 {
		return c
	}
	if a.kind != b.kind {
		return int(a.kind) - int(b.kind)
	}
	if a.family != b.family {
		return int(a.family) - int(b.family)
	}
	if a.start != b.start {
		if a.start < b.start {
			return -1
		}
		return 1
	}
	if a.shard != b.shard {
		return int(a.shard) - int(b.shard)
	}
	if c := strings.Compare(a.dims[0], b.dims[0]); c != 0 {
		return c
	}
	return strings.Compare(a.dims[1], b.dims[1])
}

func drawKey(t *rapid.T) rollupKey {
	// From few bytes, so that keys share prefixes, hold zero bytes and are prefixes of each other.
	value := rapid.StringOfN(rapid.SampledFrom([]rune{0, 1, 'a', 'b', 0xff, '�'}), 0, 4, -1)
	k := rollupKey{
		site:   rapid.StringMatching(`[a-b.-]{1,3}`).Draw(t, "site"),
		kind:   window.Kind(rapid.IntRange(0, int(window.NumKinds)-1).Draw(t, "kind")),
		family: window.Family(rapid.IntRange(0, int(window.NumFamilies)-1).Draw(t, "family")),
		start:  event.Time(rapid.OneOf(rapid.Int64(), rapid.Int64Range(-2, 2)).Draw(t, "start")),
		shard:  uint16(rapid.OneOf(rapid.IntRange(0, 2), rapid.IntRange(0, 1<<16-1)).Draw(t, "shard")),
	}
	for i := range k.family.Dims() {
		k.dims[i] = value.Draw(t, "value")
	}
	return k
}

func sign(n int) int { return min(max(n, -1), 1) }

func TestKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawKey(t), drawKey(t)
		if rapid.Bool().Draw(t, "same but for the values") {
			b.site, b.kind, b.start, b.shard = a.site, a.kind, a.start, a.shard
			if len(a.family.Dims()) == len(b.family.Dims()) {
				b.family = a.family
			}
		}
		x, y := appendRollupKey(nil, &a), appendRollupKey(nil, &b)
		var got rollupKey
		if err := decodeRollupKey(x, &got); err != nil || got != a {
			t.Fatalf("%+v reads back as %+v, %v", a, got, err)
		}
		if c := bytes.Compare(x, y); c != sign(compareKeys(&a, &b)) {
			t.Fatalf("%+v and %+v: bytes say %d, values %d", a, b, c, compareKeys(&a, &b))
		}
	})
}

// FuzzKey: any bytes give an error or a key, and a key encodes to the same bytes again.
func FuzzKey(f *testing.F) {
	f.Add(appendRollupKey(nil, &rollupKey{site: "a.example", family: window.CountryBrowsers, start: 60_000, shard: 3, dims: [2]string{"D\x00E", ""}}))
	f.Add([]byte{tableRollup, 'a', 0, byte(window.Hour), byte(window.Pages)})
	f.Add([]byte{tableRollup, 0, byte(window.Minute), byte(window.Totals), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
	f.Fuzz(func(t *testing.T, b []byte) {
		var k rollupKey
		if decodeRollupKey(b, &k) != nil {
			return
		}
		if again := appendRollupKey(nil, &k); !bytes.Equal(again, b) {
			t.Fatalf("%x reads as %+v, which is %x", b, k, again)
		}
	})
}

// FuzzKeyOrder: the order of two keys is that of their values.
func FuzzKeyOrder(f *testing.F) {
	f.Add("", "\x00", "\x00\x01", "\x00\xff")
	f.Add("/a", "", "/a\x00", "")
	f.Fuzz(func(t *testing.T, a0, a1, b0, b1 string) {
		a := rollupKey{site: "s", family: window.CountryBrowsers, dims: [2]string{a0, a1}}
		b := rollupKey{site: "s", family: window.CountryBrowsers, dims: [2]string{b0, b1}}
		x, y := appendRollupKey(nil, &a), appendRollupKey(nil, &b)
		if bytes.Compare(x, y) != sign(compareKeys(&a, &b)) {
			t.Fatalf("%q and %q", a.dims, b.dims)
		}
		var got rollupKey
		if err := decodeRollupKey(x, &got); err != nil || got != a {
			t.Fatalf("%+v reads back as %+v, %v", a, got, err)
		}
	})
}

func TestRollups(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counter := rapid.OneOf(rapid.Just[int64](0), rapid.Int64())
		kind := window.Kind(rapid.IntRange(0, int(window.NumKinds)-1).Draw(t, "kind"))
		want := window.Rollup{Sketch: append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "sketch")...)}
		if kind == window.Visits {
			want.Visits, want.Bounces = counter.Draw(t, "visits"), counter.Draw(t, "bounces")
			want.Seconds, want.Views = counter.Draw(t, "seconds"), counter.Draw(t, "views")
		} else {
			want.Events, want.Pageviews = counter.Draw(t, "events"), counter.Draw(t, "pageviews")
			want.Visitors, want.Revenue, want.Paid = rapid.Uint64().Draw(t, "visitors"), event.Money(counter.Draw(t, "revenue")), counter.Draw(t, "paid")
		}
		final := rapid.Bool().Draw(t, "final")
		var got window.Rollup
		gotFinal, err := decodeRollup(appendRollup(nil, kind, final, &want), kind, &got)
		if err != nil || gotFinal != final || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v reads back as %+v %v %v", want, got, gotFinal, err)
		}
	})
}

// TestRollupsOfOtherBuilds reads values with fewer and with more counters.
func TestRollupsOfOtherBuilds(t *testing.T) {
	f := func(b []byte, k window.Kind, want window.Rollup) {
		t.Helper()
		var got window.Rollup
		if _, err := decodeRollup(b, k, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%x reads as %+v %v, want %+v", b, got, err, want)
		}
	}
	f([]byte{0, 1, 4, 9}, window.Minute, window.Rollup{Events: 2, Sketch: []byte{9}})
	f([]byte{1, 4, 4, 2, 6, 8, 9}, window.Hour, window.Rollup{Events: 2, Pageviews: 1, Visitors: 3, Revenue: 4, Sketch: []byte{9}})
	f([]byte{1, 6, 4, 2, 6, 8, 10, 8, 9}, window.Hour, window.Rollup{Events: 2, Pageviews: 1, Visitors: 3, Revenue: 4, Paid: 5, Sketch: []byte{9}})
	f([]byte{1, 5, 4, 2, 6, 8, 8}, window.Visits, window.Rollup{Visits: 2, Bounces: 1, Seconds: 3, Views: 4, Sketch: []byte{}})
}

func FuzzValues(f *testing.F) {
	f.Add(appendRollup(nil, window.Minute, true, &window.Rollup{Events: 300, Sketch: []byte{1}}))
	f.Add(appendProgress(nil, &window.Progress{Low: 60_000, Offset: 7}))
	f.Add([]byte{0, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		var r, again window.Rollup
		for k := range window.NumKinds {
			if final, err := decodeRollup(b, k, &r); err == nil {
				if f2, err := decodeRollup(appendRollup(nil, k, final, &r), k, &again); err != nil || f2 != final || !reflect.DeepEqual(again, r) {
					t.Fatalf("%s %+v reads back as %+v, %v", k, r, again, err)
				}
			}
		}
		var p window.Progress
		_ = decodeProgress(b, &p)
		if v, err := decodeVersion(b); err == nil {
			if again, err := decodeVersion(appendVersion(nil, v)); err != nil || again != v {
				t.Fatalf("%+v reads back as %+v, %v", v, again, err)
			}
		}
		_, _ = decodeProgressKey(b)
	})
}
