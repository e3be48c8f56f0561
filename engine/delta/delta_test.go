package delta

import (
	"bytes"
	"reflect"
	"testing"

	"millrace/engine/event"
	"millrace/engine/window"
)

func sample() *Delta {
	return &Delta{
		Partition: 3, Offset: 41, Prev: 40, Watermark: 1_700_000_041_000, Meta: []byte("meta"),
		Adds: []Add{
			{Site: "a.example", Start: 1_700_000_040_000, Chunk: []byte{1, 0}},
			{Kind: window.Visits, Site: "b.example", Start: 1_700_000_040_000, Chunk: []byte{1, 2, 3}},
		},
		Visits:       []byte("visits"),
		Seen:         []byte("ids"),
		SeenFrom:     17,
		Fired:        []Fired{{Site: "a.example", Start: 60_000, Final: true}, {Kind: window.Hour, Site: "b.example", Start: 120_000}},
		Progress:     1_700_000_000_000,
		Horizon:      -event.Minute,
		VisitHorizon: event.Hour,
	}
}

func TestRoundTrip(t *testing.T) {
	for _, want := range []*Delta{sample(), {Partition: 0, Offset: 0, Prev: None}} {
		b := want.Append(nil)
		var got Delta
		if err := got.Decode(b); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Append(nil), b) {
			t.Errorf("decode(encode(x)) encodes differently: %+v", got)
		}
		if len(want.Adds) > 0 && !reflect.DeepEqual(&got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		h, err := DecodeHead(b)
		if err != nil || h != (Head{want.Partition, want.Offset, want.Prev, want.Watermark}) {
			t.Errorf("DecodeHead = %+v, %v", h, err)
		}
	}
}

// Every prefix of a delta is an error: nothing is half applied.
func TestTruncated(t *testing.T) {
	b := sample().Append(nil)
	for n := range b {
		var d Delta
		if err := d.Decode(b[:n]); err == nil {
			t.Errorf("the first %d of %d bytes decode", n, len(b))
		}
	}
	var d Delta
	if err := d.Decode(append(b, 0)); err == nil {
		t.Error("a trailing byte is accepted")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sample().Append(nil))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var d, e Delta
		if d.Decode(b) != nil {
			return
		}
		if err := e.Decode(d.Append(nil)); err != nil {
			t.Fatalf("what was decoded does not decode again: %v", err)
		}
	})
}
