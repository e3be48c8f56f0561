package hitread_test

import (
	"context"
	"strings"
	"testing"

	"millrace/emit/lake/hitfile"
	"millrace/emit/lake/hitread"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/internal/blob"
)

// TestLongSite: a file with a site of a long name, which has no bounds of its pages, is read all the same.
func TestLongSite(t *testing.T) {
	store, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"a.example": 3, "b." + strings.Repeat("x", 60) + ".example": 2, "c.example": 1}
	d := &dayFiles{tb: t, store: store, list: &files{}, hits: hitfile.NewBuffer(), visits: map[event.Time]*hitfile.VisitBuffer{}}
	l := engine.NewLedger(engine.LedgerOptions{Topic: event.Topic, Deriver: enrich.New(enrich.Options{})})
	offset := int64(0)
	for site, n := range want {
		for i := range n {
			e := event.Event{ID: site + string(rune('0'+i)), Site: site, Name: event.Pageview, Time: base, Received: base, Visitor: event.Visitor(i + 1), URL: "https://" + site + "/", Client: "v1", UA: agents[0]}
			if err := l.Step(offset, event.AppendEnvelope(nil, "c1", base, e.Append(nil)), d); err != nil {
				t.Fatal(err)
			}
			offset++
		}
	}
	d.flush()
	d.list.Partitions = []hitread.Partition{{Watermark: base}}
	a, err := hitread.New(hitread.Options{Store: store, Lister: d.list})
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for site, n := range want {
		got := 0
		err := s.Hits(context.Background(), &hits.Selection{Site: site, From: base, To: base + 1, Workers: 1}, func(_ int, b hits.Block) error {
			got += b.Len()
			return nil
		})
		if err != nil || got != n {
			t.Errorf("of %s there are %d hits, want %d: %v", site, got, n, err)
		}
	}
}
