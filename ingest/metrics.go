package ingest

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Reasons a request is refused for: the label of millrace_ingest_requests_refused_total.
const (
	reasonInvalid  = "invalid"  // 400: the body or a field of it
	reasonEncoding = "encoding" // 400: the content encoding
	reasonSite     = "site"     // 400: a site that is not configured
	reasonTooLarge = "too_large"
	reasonMethod   = "method"
	reasonKey      = "key"      // 401, 403: the write key
	reasonRate     = "rate"     // 429
	reasonCapacity = "capacity" // 503: over MaxPendingBytes
	reasonClosing  = "closing"  // 503: shutting down
	reasonKafka    = "kafka"    // 503: not acknowledged
)

type metrics struct {
	accepted     map[string]prometheus.Counter // by client
	refused      map[string]prometheus.Counter // by reason
	droppedDNT   prometheus.Counter
	seconds      map[*endpoint]prometheus.Observer
	recordEvents prometheus.Histogram
	recordBytes  prometheus.Histogram
	produceErrs  prometheus.Counter

	registered []prometheus.Collector
}

func newMetrics(pending *budget) *metrics {
	m := &metrics{
		accepted: make(map[string]prometheus.Counter),
		refused:  make(map[string]prometheus.Counter),
		seconds:  make(map[*endpoint]prometheus.Observer),
		droppedDNT: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_ingest_events_dropped_total", Help: "Events not stored because the visitor asked not to be tracked.",
			ConstLabels: prometheus.Labels{"reason": "dnt"},
		}),
		recordEvents: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "millrace_ingest_record_events", Help: "Events per record, ticks left out.",
			Buckets: []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000},
		}),
		recordBytes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "millrace_ingest_record_bytes", Help: "Bytes per record before compression, ticks left out.",
			Buckets: prometheus.ExponentialBuckets(256, 4, 7),
		}),
		produceErrs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_ingest_produce_errors_total", Help: "Records that Kafka did not acknowledge, ticks included.",
		}),
	}
	accepted := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "millrace_ingest_events_accepted_total", Help: "Events in Kafka and answered with 2xx.",
	}, []string{"client"})
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "millrace_ingest_requests_refused_total", Help: "Requests not answered with 2xx.",
	}, []string{"reason"})
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "millrace_ingest_request_seconds", Help: "Time from the head of a request to its answer, the wait for Kafka included.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
	}, []string{"endpoint"})
	// A lookup by label costs more than a count: resolve them all here.
	for i := range endpoints {
		e := &endpoints[i]
		m.accepted[e.client] = accepted.WithLabelValues(e.client)
		m.seconds[e] = seconds.WithLabelValues(e.client)
	}
	for _, r := range []string{reasonInvalid, reasonEncoding, reasonSite, reasonTooLarge, reasonMethod, reasonKey,
		reasonRate, reasonCapacity, reasonClosing, reasonKafka} {
		m.refused[r] = refused.WithLabelValues(r)
	}
	m.registered = []prometheus.Collector{accepted, refused, seconds, m.droppedDNT, m.recordEvents, m.recordBytes, m.produceErrs,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "millrace_ingest_pending_bytes", Help: "Bytes of bodies being read and of events not yet acknowledged.",
		}, func() float64 { return float64(pending.used.Load()) }),
	}
	return m
}

func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	var errs []error
	for _, c := range m.registered {
		errs = append(errs, r.Register(c))
	}
	return errors.Join(errs...)
}

func (m *metrics) unregister(r prometheus.Registerer) {
	if r == nil {
		return
	}
	for _, c := range m.registered {
		r.Unregister(c)
	}
}
