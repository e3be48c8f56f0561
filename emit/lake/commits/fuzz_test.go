package commits

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/wire"
)

// FuzzApply: no record makes the fold panic, and one that does not count changes nothing.
func FuzzApply(f *testing.F) {
	s := NewState(event.Topic, 3)
	change := s.Change()
	change.Next, change.Add = 10, []File{someFile(s.Base(), 0, 10)}
	change.Checkpoint = &Checkpoint{Key: CheckpointName(event.Topic, 3, s.Base(), 9), Last: 9, Size: 1}
	first := recordOf(s.Base(), change)
	if counted, why, err := s.Apply(0, first, noFold); !counted {
		f.Fatal(why, err)
	}
	next := s.Change()
	next.Remove, next.Anew = []string{change.Add[0].Key}, true
	f.Add(first)
	f.Add(recordOf(s.Base(), next))
	f.Add((&Commit{Version: commitVersion, Kind: Begins, Epoch: 2, Base: none}).Encode())
	f.Add((&Commit{Version: commitVersion, Kind: Begins, Epoch: 2, Base: none, Fold: &FoldRef{"k", "s"}}).Encode())
	f.Add((&Commit{Version: commitVersion, Kind: Marks, Epoch: 1}).Encode())
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, record []byte) {
		now := s.Clone()
		counted, why, err := now.Apply(1, record, noFold)
		if err != nil && !errors.Is(err, wire.ErrNewer) && !errors.Is(err, ErrFold) {
			t.Errorf("error %v", err)
		}
		if !counted && (string(encodeFold(now)) != string(encodeFold(s)) || err == nil && why == "") {
			t.Errorf("it does not count (%q) and changes the state", why)
		}
		if counted {
			if again, err := decodeFold(encodeFold(now)); err != nil || string(encodeFold(again)) != string(encodeFold(now)) {
				t.Errorf("its fold does not come back: %v", err)
			}
		}
	})
}

// FuzzFold: no object makes the reader of folds panic, and what it takes is written the same.
func FuzzFold(f *testing.F) {
	s := NewState(event.Topic, 3)
	change := s.Change()
	change.Next, change.Add = 10, []File{someFile(s.Base(), 0, 10)}
	if counted, why, err := s.Apply(0, recordOf(s.Base(), change), noFold); !counted {
		f.Fatal(why, err)
	}
	f.Add(encodeFold(s))
	f.Add([]byte(`{"version":1,"state":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := decodeFold(body)
		if err != nil {
			return
		}
		again, err := decodeFold(encodeFold(s))
		if err != nil || string(encodeFold(again)) != string(encodeFold(s)) {
			t.Errorf("it does not come back: %v", err)
		}
	})
}

// TestNeeded: checkpoints are dropped as the engine says.
func TestNeeded(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s := NewState(event.Topic, 3)
	var heads []engine.Head
	var keys []string
	for i := range int64(300) {
		h := engine.Head{Prev: 10*i - 1, Last: 10*i + 9, SeenFrom: 10*i - rng.Int64N(100), Watermark: event.Time(i) * event.Minute}
		h.SeenFrom = max(h.SeenFrom, 0)
		if n := len(heads); n > 0 {
			h.SeenFrom = max(h.SeenFrom, heads[n-1].SeenFrom)
		}
		h.Until = h.Watermark + event.Time(rng.Int64N(90))*event.Minute
		c := s.Change()
		c.Next = h.Last + 1
		c.Checkpoint = &Checkpoint{Key: CheckpointName(event.Topic, 3, s.Base(), h.Last), Size: 1, Prev: h.Prev, Last: h.Last, SeenFrom: h.SeenFrom, Until: h.Until, Watermark: h.Watermark}
		if counted, why, err := s.Apply(i, recordOf(s.Base(), c), noFold); !counted {
			t.Fatal(why, err)
		}
		heads, keys = append(heads, h), append(keys, c.Checkpoint.Key)
		need := engine.Needed(heads)
		var keptHeads []engine.Head
		var kept, got []string
		for j := range need {
			if need[j] {
				keptHeads, kept = append(keptHeads, heads[j]), append(kept, keys[j])
			}
		}
		heads, keys = keptHeads, kept
		for _, c := range s.Checkpoints() {
			got = append(got, c.Key)
		}
		if fmt.Sprint(got) != fmt.Sprint(kept) {
			t.Fatalf("after %d kept are\n%v\nwant\n%v", i, got, kept)
		}
	}
	if len(keys) < 5 || len(keys) > 200 {
		t.Errorf("%d checkpoints are kept: the test tests little", len(keys))
	}
}
