package commits

import (
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
)

// TestRecountIsNoRearrangement: what was counted again is published as other rows, so that who follows a table reads it; a merge is not. And
// a release that would publish it otherwise refuses the record.
func TestRecountIsNoRearrangement(t *testing.T) {
	for _, recount := range []bool{false, true} {
		s := NewState(event.Topic, 3)
		one := s.Change()
		one.Next, one.Add = 20, []File{someFile(s.Base(), 0, 10, "a"), someFile(s.Base(), 10, 20, "b")}
		mustApply(t, s, one)
		before := s.Clone()
		two := s.Change()
		f := someFile(s.Base(), 0, 20, "c")
		f.Level = Daily
		two.Recount, two.Add, two.Remove = recount, []File{f}, []string{one.Add[0].Key, one.Add[1].Key}
		record := (&Chain{o: Options{Now: time.Now}}).record(&Commit{Kind: Changes, Epoch: s.Base().Epoch, Base: s.Offset, Change: two})
		if c, err := Decode(record); err != nil || c.Change.Recount != recount || (c.Version == erasingVersion) != recount {
			t.Fatalf("recount %v: %+v, %v", recount, c, err)
		}
		mustApply(t, s, two)
		entry := string((&step{before, s, s.Offset, record}).encodeEntry(f.Table))
		if changes := strings.Count(entry, `"dataChange":true`); changes != 0 && !recount || changes != 3 && recount {
			t.Errorf("recount %v: %s", recount, entry)
		}
		if want := map[bool]string{false: "OPTIMIZE", true: "WRITE"}[recount]; !strings.Contains(entry, want) {
			t.Errorf("recount %v: %s, want %s", recount, entry, want)
		}
	}
}
