package broker

import (
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The transports against one another: records of 35 KB, uncompressed, acks all, log on disk.
func BenchmarkProduce(b *testing.B) {
	value := make([]byte, 35<<10)
	f := func(name string, tcp bool, produce func(b *testing.B, br *Broker)) {
		b.Run(name, func(b *testing.B) {
			br := mustOpen(b, Options{Dir: b.TempDir(), TCP: tcp})
			c := mustClient(b, br)
			mustCreate(b, c, testTopic, 1, map[string]string{"retention.bytes": "100000000"})
			b.SetBytes(int64(len(value)))
			b.ReportAllocs()
			produce(b, br)
		})
	}
	withKgo := func(b *testing.B, br *Broker) {
		c := mustClient(b, br, kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(2*time.Millisecond))
		defer c.Close()
		for b.Loop() {
			c.Produce(b.Context(), &kgo.Record{Topic: testTopic, Value: value}, func(_ *kgo.Record, err error) {
				if err != nil {
					b.Error(err)
				}
			})
		}
		if err := c.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	withSarama := func(b *testing.B, br *Broker) {
		cfg := saramaConfig(br)
		cfg.Producer.Return.Successes = false
		p, err := sarama.NewAsyncProducer(br.Addrs(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			p.Input() <- &sarama.ProducerMessage{Topic: testTopic, Value: sarama.ByteEncoder(value)}
		}
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
	}
	f("kgo/pair", false, withKgo)
	f("kgo/tcp", true, withKgo)
	f("sarama/pair", false, withSarama)
	f("sarama/tcp", true, withSarama)
}
