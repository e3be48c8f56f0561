package engine_test

import (
	"testing"

	"millrace/bench"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
)

// benchRecords returns the records of a log: n of 100 events each, a hundred events a second.
func benchRecords(n int) (records [][]byte) {
	stream := bench.NewWorkload(bench.WorkloadOptions{Seed: 1, Rate: 100})
	for range n {
		var list []byte
		for i := range 100 {
			if i > 0 {
				list = append(list, ',')
			}
			list = stream.Next().Append(list)
		}
		records = append(records, event.AppendEnvelope(nil, "c1", stream.Now(), list))
	}
	return records
}

// BenchmarkStep measures the core alone, an event: from the bytes of a record to its delta.
func BenchmarkStep(b *testing.B) {
	records := benchRecords(2000)
	var core *engine.Core
	n := 0
	for b.Loop() {
		if n%len(records) == 0 {
			core = engine.NewCore(engine.Rules{}, enrich.New(enrich.Options{}))
		}
		if _, dead := core.Step(0, int64(n%len(records)), records[n%len(records)]); dead != nil {
			b.Fatal(dead)
		}
		n++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*100), "ns/event")
}
