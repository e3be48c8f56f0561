package window

import (
	"testing"

	"pgregory.net/rapid"

	"millrace/engine/event"
)

// TestFrame: lines are those of the library's encoder, whatever is in them, and errors are errors.
func TestFrame(t *testing.T) {
	framed := 0
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.SampledFrom([]string{"/", None, Other, "Organic Search", "", `a\`, "a=b", "a,b", "é", "\x7f", "\x00", `"`, "~!#"}),
			rapid.StringMatching(`[!-~]{1,12}`), rapid.StringMatching(`[a-z0-9/_.-]{1,12}`), rapid.String(),
		)
		k := Kind(rapid.IntRange(0, int(NumKinds)-1).Draw(t, "kind"))
		w := &Window{
			Kind: k, Site: rapid.OneOf(rapid.Just("a.example"), value).Draw(t, "site"),
			Shard:   uint16(rapid.SampledFrom([]int{0, 0, 1, 65535}).Draw(t, "shard")),
			Start:   event.Time(rapid.OneOf(rapid.Int64Range(-1<<42, 1<<42), rapid.Int64Range(1<<43-1500, 1<<43+1500), rapid.Int64()).Draw(t, "start")),
			Version: rapid.Int64().Draw(t, "version"), Final: rapid.Bool().Draw(t, "final"),
			Points: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Point {
				p := drawPoint(t, k)
				for i := range p.Family.Dims() {
					p.Dims[i] = value.Draw(t, "value")
				}
				return p
			}), 0, 8).Draw(t, "points"),
		}
		library := newLineWriter(w, []byte("before\n"))
		for i := range w.Points {
			library.encode(&w.Points[i])
		}
		want, wantErr := library.finish()
		got, err := w.AppendLines([]byte("before\n"))
		if (err == nil) != (wantErr == nil) || err == nil && string(got) != string(want) {
			t.Fatalf("got %v\n%s\nwant %v\n%s", err, got, wantErr, want)
		}
		for i := range w.Points {
			if library.frame.fits(&w.Points[i]) {
				framed++
			}
		}
	})
	if framed == 0 {
		t.Error("no line was framed")
	}
}
