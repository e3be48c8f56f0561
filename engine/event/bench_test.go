package event

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

// page100 returns an envelope of 100 page views like those of a busy site: about 400 bytes each, four of five with a
// referrer, a sixth with properties.
func page100(seed uint64) []byte {
	r := rand.New(rand.NewPCG(1, seed))
	var list []byte
	for i := range 100 {
		e := Event{
			ID: fmt.Sprintf("b-%012x", i), Site: fmt.Sprintf("site-%02d.example", r.IntN(20)), Name: Pageview,
			Time: 1_714_521_600_000 + Time(i), Received: 1_714_521_600_000 + Time(i), Visitor: Visitor(r.Uint64()),
			UA:      fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", 118+r.IntN(20)),
			Country: "DE", Language: "de-DE", Screen: "1920x1080", Client: "v1",
		}
		e.URL = fmt.Sprintf("https://%s/pricing/blog-%d", e.Site, r.IntN(400))
		switch k := r.IntN(100); {
		case k < 55:
			e.Referrer = fmt.Sprintf("https://%s/docs/help-%d", e.Site, r.IntN(400))
		case k < 80:
			e.Referrer = "https://www.google.com/"
		}
		if r.IntN(6) == 0 {
			e.Name = "signup"
			e.Props = []Prop{{"plan", "pro"}, {"variant", "b"}}
		}
		if i > 0 {
			list = append(list, ',')
		}
		list = e.Append(list)
	}
	return AppendEnvelope(nil, "bench", 1_714_521_600_000, list)
}

// BenchmarkDecode holds the two ways of a Decoder against each other. One record over and over would flatter both: the
// processor learns its branches by heart.
func BenchmarkDecode(b *testing.B) {
	var records [64][]byte
	for i := range records {
		records[i] = page100(uint64(i))
	}
	var d Decoder
	var env Envelope
	run := func(name string, decode func(record []byte) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(records[0])))
			for i := 0; b.Loop(); i++ {
				if err := decode(records[i%len(records)]); err != nil {
					b.Fatal(err)
				}
			}
			perEvent := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / 100
			b.ReportMetric(perEvent, "ns/event")
			b.ReportMetric(1e9/perEvent, "events/s")
		})
	}
	run("fast", func(record []byte) error { return d.Decode(record, &env) })
	run("general", func(record []byte) error {
		env.Events = env.Events[:0]
		if !utf8.Valid(record) {
			return ErrSyntax
		}
		return d.general(record, &env)
	})
}
