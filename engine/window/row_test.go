package window

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/engine/event"
)

func rowsIn(t interface{ Fatal(...any) }, chunk []byte) []Row {
	var got []Row
	err := eachChunk(chunk, func(_ byte, payload []byte) error {
		return readRows(payload, func(r *Row) {
			c := *r
			for d := range c.Dims {
				c.Dims[d] = strings.Clone(c.Dims[d])
			}
			got = append(got, c)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRowsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOf(rapid.Custom(drawRow)).Draw(t, "rows")
		var w RowWriter
		w.Add(&Row{Dims: [NumDims]string{Page: "left over"}})
		w.Reset()
		for i := range rows {
			w.Add(&rows[i])
		}
		if w.Len() != len(rows) {
			t.Fatalf("Len %d, want %d", w.Len(), len(rows))
		}
		chunk := w.AppendChunk(nil)
		if d := len(chunk) - w.Size(); d < -8 || d > 8 {
			t.Fatalf("Size %d, encoded %d", w.Size(), len(chunk))
		}
		if got := rowsIn(t, chunk); len(rows) > 0 && !reflect.DeepEqual(got, rows) {
			t.Fatalf("got %+v, want %+v", got, rows)
		}
	})
}

// TestRowsOfOldBuild reads rows that were written when there were two dimensions.
func TestRowsOfOldBuild(t *testing.T) {
	row := func(b ...byte) []byte { return append(append([]byte{1}, 5, 0, 0, 0, 0, 0, 0, 0), b...) }
	payload := append(row(0b11, 2, '/', 'a', 1, 's'), row(0b01, 2, '/', 'b')...)
	chunk := append([]byte{chunkRows, byte(len(payload))}, payload...)
	want := []Row{
		{Flags: PageviewRow, Visitor: 5, Dims: [NumDims]string{Page: "/a", Source: "s"}},
		{Flags: PageviewRow, Visitor: 5, Dims: [NumDims]string{Page: "/b", Source: "s"}},
	}
	if got := rowsIn(t, chunk); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestWindowPartition: windows lie in the partition of the same number as their events.
func TestWindowPartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		site := rapid.StringMatching(`[a-z0-9.-]{1,20}`).Draw(t, "site")
		shard := uint16(rapid.IntRange(0, 1<<16-1).Draw(t, "shard"))
		start := event.Time(rapid.Int64Range(0, 1<<42).Draw(t, "start")).Floor(event.Minute)
		n := rapid.Int32Range(1, 64).Draw(t, "partitions")
		p := event.Partition(site, shard, n)
		if got := event.Hash(event.WindowKey(site, start, shard)) % uint32(n); got != uint32(p) {
			t.Fatalf("window in %d, events in %d", got, p)
		}
		if got := event.Hash(event.Key(p)) % uint32(n); got != uint32(p) {
			t.Fatalf("key %q in %d", event.Key(p), got)
		}
	})
}

func TestClean(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	f("", None)
	f(" \t\n", None)
	f("/a b", "/a b")
	f("\x00/a\x1fb\x7f", "/a b")
	f(`C:\dir\`, "C:/dir/")
	f("/caf\xe9", "/caf\ufffd") // a path in Latin-1, percent-decoded: line protocol has to be UTF-8
	f("\xff", "\ufffd")
	f(strings.Repeat("x", MaxValueLen+1), strings.Repeat("x", MaxValueLen))
	f(strings.Repeat("x", MaxValueLen-1)+"é", strings.Repeat("x", MaxValueLen-1))
	f(strings.Repeat("\x80a", MaxValueLen), strings.Repeat("\ufffda", MaxValueLen/4))
}
