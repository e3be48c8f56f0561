package hitmerge

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"

	"millrace/emit/lake/colfile"
	"millrace/emit/lake/hitfile"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/window"
)

// TestErased: a merge without rows is the file of the others, also of a part of a visitor's, of the first and last rows, and of all.
func TestErased(t *testing.T) {
	s := logOf(t, 9, 1500)
	f := func(name string, erased func(h *hits.Hit) bool) {
		t.Helper()
		rng := rand.New(rand.NewPCG(9, uint64(len(name))))
		var left []*hits.Hit
		for _, h := range s.hits {
			if !erased(h) {
				left = append(left, h)
			}
		}
		var files []*colfile.File
		for _, part := range deal(rng, s.hits, 4) {
			files = append(files, hitsFile(t, part))
		}
		out, err := Merge(t.Context(), Options{Level: zstd.SpeedFastest, Table: hitfile.Hits, Erased: func(site string, who event.Visitor) func(int64) bool {
			return func(offset int64) bool {
				h := &hits.Hit{Site: site, Offset: offset, Row: &window.Row{Visitor: who}}
				return erased(h)
			}
		}}, files)
		if err != nil {
			t.Fatal(err)
		}
		if out.Rows != int64(len(left)) || out.Erased != int64(len(s.hits)-len(left)) || out.Erased == 0 {
			t.Errorf("%s: %d rows and %d erased, want %d", name, out.Rows, out.Erased, len(left))
		}
		if len(left) == 0 {
			if out.Body != nil {
				t.Errorf("%s: a file without a row", name)
			}
			return
		}
		want := mustMerge(t, Options{Table: hitfile.Hits}, []*colfile.File{hitsFile(t, left)})
		if !bytes.Equal(out.Body, want.Body) || out.MinSite != want.MinSite || out.MaxSite != want.MaxSite || out.MinTime != want.MinTime || out.MaxTime != want.MaxTime {
			t.Errorf("%s: a file of %d bytes, %s to %s, %s to %s; want %d, %s to %s, %s to %s", name, len(out.Body), out.MinSite, out.MaxSite, out.MinTime, out.MaxTime,
				len(want.Body), want.MinSite, want.MaxSite, want.MinTime, want.MaxTime)
		}
	}
	first, last := s.hits[0].Site, s.hits[0].Site
	for _, h := range s.hits {
		first, last = min(first, h.Site), max(last, h.Site)
	}
	f("a visitor", func(h *hits.Hit) bool { return h.Row.Visitor == s.hits[20].Row.Visitor && h.Site == s.hits[20].Site })
	f("a part of some", func(h *hits.Hit) bool { return h.Row.Visitor%3 == 0 && h.Offset < s.hits[len(s.hits)/2].Offset })
	f("the first site", func(h *hits.Hit) bool { return h.Site == first })
	f("the last", func(h *hits.Hit) bool { return h.Site == last })
	f("all", func(*hits.Hit) bool { return true })
}
