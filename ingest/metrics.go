package ingest

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/ingest/protocol"
	"millrace/ingest/spool"
)

type metrics struct {
	accepted     *prometheus.CounterVec // by client
	refused      map[protocol.Reason]prometheus.Counter
	dropped      map[string]prometheus.Counter // by reason
	adjusted     []prometheus.Counter          // as protocol.Adjustable
	hidden       *prometheus.CounterVec        // by sign of a proxy
	seconds      *prometheus.HistogramVec      // by client
	recordEvents prometheus.Histogram
	recordBytes  prometheus.Histogram
	produceErrs  prometheus.Counter
	clockSteps   prometheus.Counter
	spooled      prometheus.Counter
	drained      prometheus.Counter
	spoolCopies  prometheus.Counter
	spoolErrs    prometheus.Counter

	registered []prometheus.Collector
}

func newMetrics(pending *budget) *metrics {
	m := &metrics{
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_ingest_events_accepted_total", Help: "Events in Kafka or the spool and answered with 2xx.",
		}, []string{"client"}),
		refused: make(map[protocol.Reason]prometheus.Counter),
		dropped: make(map[string]prometheus.Counter),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "millrace_ingest_request_seconds", Help: "Time from the head of a request to its answer, the wait for Kafka included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}, []string{"endpoint"}),
		recordEvents: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "millrace_ingest_record_events", Help: "Events per record, ticks left out.",
			Buckets: []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000},
		}),
		recordBytes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "millrace_ingest_record_bytes", Help: "Bytes per record before compression, ticks left out.",
			Buckets: prometheus.ExponentialBuckets(256, 4, 7),
		}),
		hidden: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_ingest_hidden_clients_total", Help: "Beacons through a proxy that is not configured or names no client, by sign.",
		}, []string{"sign"}),
		produceErrs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_ingest_produce_errors_total", Help: "Records that Kafka did not acknowledge, ticks included.",
		}),
		clockSteps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_ingest_clock_steps_total", Help: "How often the machine's clock was set by more than 2 s.",
		}),
		spooled: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_ingest_spooled_events_total", Help: "Events that Kafka did not take and the spool did.",
		}),
		drained: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_ingest_spool_drained_events_total", Help: "Events of the spool that are in Kafka.",
		}),
		spoolCopies: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_ingest_spool_copies_total", Help: "Events of the spool that were found in Kafka and not sent again.",
		}),
		spoolErrs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_ingest_spool_errors_total", Help: "Requests that neither Kafka nor the spool took.",
		}),
	}
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "millrace_ingest_requests_refused_total", Help: "Requests not answered with 2xx.",
	}, []string{"reason"})
	dropped := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "millrace_ingest_events_dropped_total", Help: "Events answered with 2xx and not stored.",
	}, []string{"reason"})
	adjusted := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "millrace_ingest_requests_adjusted_total", Help: "Requests of which a field was cut or left out.",
	}, []string{"field"})
	// A lookup by label costs more than a count: resolve them all here.
	for _, r := range protocol.Reasons() {
		m.refused[r] = refused.WithLabelValues(string(r))
	}
	for _, r := range dropReasons {
		m.dropped[r] = dropped.WithLabelValues(r)
	}
	for _, name := range protocol.Adjustable() {
		m.adjusted = append(m.adjusted, adjusted.WithLabelValues(name))
	}
	m.registered = []prometheus.Collector{m.accepted, refused, m.seconds, dropped, adjusted, m.hidden, m.recordEvents, m.recordBytes, m.produceErrs, m.clockSteps,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "millrace_ingest_pending_bytes", Help: "Bytes of bodies being read and of events not yet acknowledged.",
		}, func() float64 { return float64(pending.used.Load()) }),
	}
	return m
}

// watch adds what a clock says.
func (m *metrics) watch(w *wallClock) {
	m.registered = append(m.registered, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "millrace_ingest_clock_ahead_seconds",
		Help: "How far the machine's clock is ahead of the log's, by other collectors' times; below 0 it is behind, as it is after it was ahead and has been set right.",
	}, func() float64 { return w.ahead().Seconds() }))
}

// watchSpool adds what a spool has.
func (m *metrics) watchSpool(s *spooler) {
	gauge := func(name, help string, value func(spool.Stats) float64) {
		m.registered = append(m.registered, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return value(s.log.Stats()) }))
	}
	gauge("millrace_ingest_spool_events", "Events in the spool.", func(st spool.Stats) float64 { return float64(st.Events) })
	gauge("millrace_ingest_spool_bytes", "Bytes of the spool.", func(st spool.Stats) float64 { return float64(st.Bytes) })
	gauge("millrace_ingest_spool_oldest_seconds", "How long ago the oldest event in the spool was received, 0 for none.", func(st spool.Stats) float64 {
		if st.Oldest == 0 {
			return 0
		}
		return s.c.now().Sub(st.Oldest.Std()).Seconds()
	})
	m.registered = append(m.registered, m.spooled, m.drained, m.spoolCopies, m.spoolErrs)
}

// register registers all metrics, or none.
func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	var errs []error
	var done []prometheus.Collector
	for _, c := range m.registered {
		if err := r.Register(c); err != nil {
			errs = append(errs, err)
			continue
		}
		done = append(done, c)
	}
	if len(errs) > 0 {
		for _, c := range done {
			r.Unregister(c)
		}
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
