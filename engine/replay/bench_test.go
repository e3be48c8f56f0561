package replay

import (
	"context"
	"testing"

	"millrace/bench"
	"millrace/emit/lake"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/blob"
)

// BenchmarkRun counts three hours of 50 sites, a hundred events a second: out of Parquet files, into windows of all
// kinds.
func BenchmarkRun(b *testing.B) {
	const events, record = 1_000_000, 50
	folder, err := blob.OpenFolder(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	im := lake.NewImporter(folder, engine.EventsTopic)
	w := bench.NewWorkload(bench.WorkloadOptions{Seed: 1, Rate: 100})
	for i := range events {
		if err := im.Add(b.Context(), w.Next(), int64(i/record)); err != nil {
			b.Fatal(err)
		}
	}
	if err := im.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		rep, err := Run(b.Context(), Options{Lake: archive{lake.NewReader(folder)}, Reader: nothing{}, Sink: nothing{}, Limit: 500})
		if err != nil {
			b.Fatal(err)
		}
		if rep.Events != events {
			b.Fatalf("%+v", rep)
		}
	}
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// nothing is a store that is always empty.
type nothing struct{}

func (nothing) Scan(context.Context, window.Selection, func(event.Time, bool, *window.Point) error) error {
	return nil
}
func (nothing) Sites(context.Context) ([]string, error)         { return nil, nil }
func (nothing) Replace(context.Context, []*window.Window) error { return nil }
