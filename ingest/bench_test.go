package ingest

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/valyala/fasthttp"
)

// nowhere acknowledges every record at once, so that what is measured is the way to the client and not the broker.
type nowhere struct{}

func (nowhere) TryProduce(_ context.Context, r *kgo.Record, promise func(*kgo.Record, error)) {
	promise(r, nil)
}

const pageview = `{"site":"shop.example.com","name":"pageview","url":"https://shop.example.com/products/blue-chair?utm_source=news","referrer":"https://www.google.com/","screen":"1920x1080","props":{"author":"Ada","plan":"pro"}}`

// BenchmarkHandler is a request from its head to the record, without network and broker.
func BenchmarkHandler(b *testing.B) {
	f := func(name, body string, events int) {
		b.Run(name, func(b *testing.B) {
			c := mustOpen(b, mustCluster(b), func(o *Options) { o.TickEvery = 10 * time.Second })
			// With one request at a time a record would linger; full records are what load makes.
			for _, p := range c.partitions {
				p.out = nowhere{}
			}
			c.opts.MaxRecordEvents = events
			var req fasthttp.Request
			req.Header.SetMethod("POST")
			req.SetRequestURI("/v1/events")
			req.Header.SetUserAgent(chrome)
			req.Header.Set("Accept-Language", "de-AT,de;q=0.9,en;q=0.8")
			req.SetBodyString(body)
			var ctx fasthttp.RequestCtx
			ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP("8.8.8.8"), Port: 4711}, nil)
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Reset()
				c.Handler(&ctx)
				if ctx.Response.StatusCode() != 202 {
					b.Fatalf("%d %s", ctx.Response.StatusCode(), ctx.Response.Body())
				}
			}
			b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
	f("1", pageview, 1)
	f("100", "["+strings.Repeat(pageview+",", 99)+pageview+"]", 100)
}
