package lake

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/internal/blob"
)

// sinkStore swallows all objects but progress, so that a benchmark measures no disk.
type sinkStore struct {
	blob.Store
	bytes int64
	last  []byte
}

func (s *sinkStore) Put(ctx context.Context, key string, body []byte) error {
	if strings.HasPrefix(key, progressPrefix) {
		return s.Store.Put(ctx, key, body)
	}
	s.bytes += int64(len(body))
	if len(body) > len(s.last) {
		s.last = append(s.last[:0], body...)
	}
	return nil
}

func (s *sinkStore) Delete(context.Context, string) error { return nil }

// BenchmarkArchive measures decoding, sorting and encoding, in one goroutine, without hits and with them.
func BenchmarkArchive(b *testing.B) {
	b.Run("raw", func(b *testing.B) { benchArchive(b, false) })
	b.Run("hits", func(b *testing.B) { benchArchive(b, true) })
}

func benchArchive(b *testing.B, withHits bool) {
	g := newGenerator(1)
	g.site = 50
	var log []record
	rows := 0
	for i := range 1000 {
		g.now = t0 - 30*event.Minute + event.Time(i)*50
		log = append(log, g.record(100))
		rows += 100
	}
	store := &sinkStore{Store: newMemory()}
	o := testOptions(store)
	o.MaxRows = rows
	b.ReportAllocs()
	n, cpu := 0, processorTime(b)
	for b.Loop() {
		if withHits {
			o.Hits = testHits([]*commitLog{{}}, [][]record{log})
		}
		store.Store = newMemory()
		a := mustArchiver(b, o)
		p := a.partition(0)
		for offset, r := range log {
			if err := p.consume(b.Context(), int64(offset), r.value); err != nil {
				b.Fatal(err)
			}
		}
		if a.Stats().Rows != int64(rows) {
			b.Fatalf("%+v", a.Stats())
		}
		n += rows
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64((processorTime(b)-cpu).Nanoseconds())/float64(n), "cpu-ns/row")
	b.ReportMetric(float64(store.bytes)/float64(n), "B/row")
}

// processorTime returns what this process has used, with the garbage collector.
func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Skip(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkRead(b *testing.B) {
	buf, g := newBuffer(), newGenerator(1)
	const rows = 100_000
	for i := range rows {
		g.now = t0 - 30*event.Minute + event.Time(i)
		e := g.event()
		buf.add(&e, int64(i/100), int32(i%100))
	}
	store := &sinkStore{}
	if err := buf.objects(testTopic, 0, segment{}, nil, nil, func(k Key, body []byte) error {
		return store.Put(context.Background(), "", body)
	}); err != nil {
		b.Fatal(err)
	}
	f := func(name, site string) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			start, n := time.Now(), int64(0)
			for b.Loop() {
				o, err := openObject(store.last)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := o.rows(site); err != nil {
					b.Fatal(err)
				}
				n += o.file.NumRows()
			}
			b.ReportMetric(float64(n)/time.Since(start).Seconds(), "rows/s")
		})
	}
	f("all", "")
	f("one site", "site3.example.com")
}
