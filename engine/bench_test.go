package engine_test

import (
	"testing"

	"millrace/bench"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
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

// counted is a hits.Sink that counts.
type counted struct{ hits, joins, visits int }

func (c *counted) Hit(*hits.Hit)      { c.hits++ }
func (c *counted) Join(hits.Join)     { c.joins++ }
func (c *counted) Visit(*visit.Visit) { c.visits++ }

// BenchmarkLedger measures what hits take, an event: from the bytes of a record to its hits, with a checkpoint every minute.
func BenchmarkLedger(b *testing.B) {
	records := benchRecords(2000)
	var l *engine.Ledger
	var sink counted
	var checkpoint []byte
	n, size := 0, 0
	for b.Loop() {
		at := n % len(records)
		if at == 0 {
			l = engine.NewLedger(engine.LedgerOptions{Topic: event.Topic, Deriver: enrich.New(enrich.Options{})})
		}
		if err := l.Step(int64(at), records[at], &sink); err != nil {
			b.Fatal(err)
		}
		if n++; n%60 == 0 {
			checkpoint = l.Checkpoint(checkpoint[:0])
			size += len(checkpoint)
		}
	}
	if sink.hits != n*100 {
		b.Fatalf("%d hits of %d events", sink.hits, n*100)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*100), "ns/event")
	b.ReportMetric(float64(size)/float64(n*100), "checkpoint-B/event")
}
