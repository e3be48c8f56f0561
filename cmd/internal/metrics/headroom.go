package metrics

import (
	"context"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var descHeadroom = prometheus.NewDesc("millrace_log_headroom_seconds",
	"How long Kafka still holds the oldest record that a consumer group has not read, as of at most some minutes ago.",
	[]string{"group", "partition"}, nil)

// headroomEvery is how often the log is asked, headroomAgain when after a failure, and headroomFor how
// long an answer is shown that could not be renewed: an old one is too good.
const (
	headroomEvery = 30 * time.Second
	headroomAgain = 3 * time.Second
	headroomFor   = 5 * time.Minute
)

// Headroom shows for how long what a group has not read stays in the log: of all partitions, also
// those that no process has, so that a role that has stopped everywhere but in one process is seen
// there. A process has one for all of its groups.
type Headroom struct {
	mu sync.Mutex // guards what follows
	of map[string]headroom
}

type headroom struct {
	left map[int32]time.Duration
	at   time.Time
}

// NewHeadroom returns one that shows nothing yet. Registering it is the caller's.
func NewHeadroom() *Headroom { return &Headroom{of: map[string]headroom{}} }

// Keep measures a group until the context ends. An error of measure is Kafka's, which readiness
// reports; it only makes the series stop.
func (h *Headroom) Keep(ctx context.Context, group string, measure func(context.Context) (map[int32]time.Duration, error)) {
	for {
		wait := headroomAgain
		bounded, cancel := context.WithTimeout(ctx, headroomEvery)
		if left, err := measure(bounded); err == nil {
			h.mu.Lock()
			h.of[group] = headroom{left, time.Now()}
			h.mu.Unlock()
			wait = headroomEvery
		}
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// Describe is part of prometheus.Collector.
func (h *Headroom) Describe(ch chan<- *prometheus.Desc) { ch <- descHeadroom }

// Collect is part of prometheus.Collector.
func (h *Headroom) Collect(ch chan<- prometheus.Metric) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for group, is := range h.of {
		if time.Since(is.at) > headroomFor {
			continue
		}
		for partition, left := range is.left {
			seconds := left.Seconds()
			if left == math.MaxInt64 {
				seconds = math.Inf(1)
			}
			ch <- prometheus.MustNewConstMetric(descHeadroom, prometheus.GaugeValue, seconds, group, strconv.Itoa(int(partition)))
		}
	}
}
