package front

import "github.com/prometheus/client_golang/prometheus"

// Metrics are those of all listeners and servers of a process.
type Metrics struct {
	registry     prometheus.Registerer
	acceptErrors *prometheus.CounterVec // by listener
	refusedConns *prometheus.CounterVec // by listener
	errors       *prometheus.CounterVec // by listener and kind
}

// NewMetrics registers the metrics; r may be nil.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		registry: r,
		acceptErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_accept_errors_total", Help: "Attempts to accept a connection that failed.",
		}, []string{"listener"}),
		refusedConns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_connections_refused_total", Help: "Connections answered with 503 because too many were open.",
		}, []string{"listener"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_http_errors_total", Help: "Requests that could not be read, and connections that failed, by kind.",
		}, []string{"listener", "kind"}),
	}
	if r != nil {
		r.MustRegister(m.acceptErrors, m.refusedConns, m.errors)
	}
	return m
}

// listener makes the series of a listener, so that they are there before the first error.
func (m *Metrics) listener(name string, open func() float64) {
	m.acceptErrors.WithLabelValues(name)
	m.refusedConns.WithLabelValues(name)
	if m.registry == nil {
		return
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "millrace_connections_open", Help: "Connections that are open.", ConstLabels: prometheus.Labels{"listener": name},
	}, open))
}
