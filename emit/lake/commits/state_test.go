package commits

import (
	"errors"
	"fmt"
	"testing"

	"millrace/engine/event"
)

// someFile returns a file of a segment of hits.
func someFile(base Base, first, next int64, inputs ...string) File {
	return File{Table: Hits, Key: FileName(event.Topic, 3, base, Hits, 0, Segment, first, next, 0, inputs...), MaxTime: 1, MinSite: "a", MaxSite: "b",
		Size: 10, Rows: 1, First: first, Next: next}
}

// recordOf returns a change as the record of a commit on a base.
func recordOf(b Base, c Change) []byte {
	return (&Commit{Version: commitVersion, Kind: Changes, Epoch: b.Epoch, Base: b.Offset, Writer: "w", Change: c}).Encode()
}

func noFold(FoldRef) (*State, error) { return nil, errors.New("none") }

func TestApply(t *testing.T) {
	s := NewState(event.Topic, 3)
	offset := int64(-1)
	apply := func(record []byte, want bool) {
		t.Helper()
		offset++
		before := s.Clone()
		counted, why, err := s.Apply(offset, record, noFold)
		if err != nil || counted != want {
			t.Fatalf("record %d: counted %v (%s), %v; want %v", offset, counted, why, err, want)
		}
		if !counted && fmt.Sprint(before) != fmt.Sprint(s) {
			t.Fatalf("record %d did not count and changes the state", offset)
		}
	}
	apply([]byte("{"), false)
	first := s.Base()
	a := someFile(first, 0, 10)
	one := s.Change()
	one.Next, one.Add = 10, []File{a}
	apply(recordOf(first, one), true)
	apply(recordOf(first, one), false) // its base is not the last any more
	two := s.Change()
	two.Next = 5
	apply(recordOf(s.Base(), two), false) // it goes back
	two = s.Change()
	two.Remove = []string{a.Key}
	b := someFile(s.Base(), 0, 10, a.Key)
	two.Add = []File{b}
	apply(recordOf(s.Base(), two), true)
	if s.File(a.Key) != nil || s.File(b.Key) == nil || len(s.Removed()) != 1 || s.Version != 1 || s.Offset != 4 {
		t.Errorf("state is %+v", s)
	}
	three := s.Change()
	three.Add = []File{a}
	apply(recordOf(s.Base(), three), false) // its deletion is pending
	three.Add, three.Deleted = nil, []string{a.Key}
	apply(recordOf(s.Base(), three), true)
	if s.Names(a.Key) {
		t.Errorf("%q is named still", a.Key)
	}
}
