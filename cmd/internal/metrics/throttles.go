package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"millrace/internal/kafka"
)

// Throttles registers how long brokers have held this process back.
func Throttles(r prometheus.Registerer, t *kafka.Throttles) {
	r.MustRegister(throttles{t})
}

var descThrottle = prometheus.NewDesc("millrace_kafka_throttle_seconds_total",
	"How long brokers have held back connections of this process because a quota was used up, by what they are for.",
	[]string{"client"}, nil)

type throttles struct{ of *kafka.Throttles }

func (t throttles) Describe(ch chan<- *prometheus.Desc) { ch <- descThrottle }

func (t throttles) Collect(ch chan<- prometheus.Metric) {
	sums := t.of.Sums()
	for _, purpose := range kafka.Purposes() {
		ch <- prometheus.MustNewConstMetric(descThrottle, prometheus.CounterValue, sums[purpose].Seconds(), purpose)
	}
}
