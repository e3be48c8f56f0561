package window

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"millrace/engine/event"
)

// TestFresh: an Agg that is read at any time, so that its visitors get into their sketches then,
// gives what one does that is read at the end only; each way of reading counts those who wait.
func TestFresh(t *testing.T) {
	const limit = 60
	rng := rand.New(rand.NewPCG(7, 8))
	readers := []func(a *Agg) []byte{
		func(a *Agg) []byte { return a.AppendFolded(nil) },
		func(a *Agg) (all []byte) {
			if err := a.Records(&Window{Site: "s"}, 1<<30, func(b []byte) error { all = b; return nil }); err != nil {
				t.Fatal(err)
			}
			return all
		},
		func(a *Agg) []byte { return []byte(mustLines(t, a.Window("s", 0, 0, 0, false))) },
		func(a *Agg) []byte {
			hour := NewAgg(limit)
			hour.Merge(a)
			return hour.AppendFolded(nil)
		},
	}
	all := make([]*Agg, len(readers)+1) // the last is read at the end only
	for i := range all {
		all[i] = NewAgg(limit)
	}
	var w RowWriter
	for round := range 40 {
		for range 1 + rng.IntN(maxFresh/8) {
			who := rng.IntN(3000)
			r := Row{Flags: PageviewRow, Visitor: event.Visitor(who), Dims: [NumDims]string{
				Page: fmt.Sprintf("/%d", rng.IntN(80)), Country: benchCountries[who%20], Browser: benchBrowsers[who%7], City: fmt.Sprint(who % 90), Source: None,
			}}
			w.Add(&r)
		}
		for i, a := range all {
			if err := a.Add(w.AppendChunk(nil)); err != nil {
				t.Fatal(err)
			}
			if i < len(readers) && round%(i+2) == 0 {
				readers[i](a)
			}
			for f := range a.fams {
				if n := len(a.fams[f].fresh); n >= maxFresh {
					t.Fatalf("%d visitors of %s wait", n, Family(f))
				}
			}
		}
		w.Reset()
	}
	for i, read := range readers {
		other := NewAgg(limit) // what waits is in none of its sketches
		if err := other.Add(all[len(readers)].AppendFolded(nil)); err != nil {
			t.Fatal(err)
		}
		want := read(other)
		if got := read(all[i]); !bytes.Equal(got, want) {
			t.Errorf("reader %d: another window", i)
		}
		all[i].Reset(limit)
		if got := all[i].AppendFolded(nil); !bytes.Equal(got, NewAgg(limit).AppendFolded(nil)) {
			t.Errorf("reader %d: something is left after Reset", i)
		}
	}
}

// TestFreshAgain: an emptied Agg has forgotten who waited.
func TestFreshAgain(t *testing.T) {
	a, row := NewAgg(0), Row{Visitor: 1, Dims: [NumDims]string{Country: "EE"}}
	a.AddRow(&row)
	a.Reset(0)
	row.Visitor = 2
	a.AddRow(&row)
	want := NewAgg(0)
	want.AddRow(&row)
	if !bytes.Equal(a.AppendFolded(nil), want.AppendFolded(nil)) {
		t.Error("the visitor of before is counted")
	}
}
