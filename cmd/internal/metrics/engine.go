package metrics

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/engine"
	"millrace/engine/event"
	"millrace/state"
)

// Engine are the metrics of the engine's partitions. The counts are part of the journal: they go
// on after a restart, and the process that owns a partition reports them. They are computed at a
// scrape, but for one observation a minute and partition.
type Engine struct {
	source atomic.Pointer[engineSource]
	fired  *prometheus.HistogramVec
}

// engineSource is an engine that runs, and its state.
type engineSource struct {
	engine *engine.Processor
	table  *state.Table
}

// engineMetric is a number of a partition that has a Snapshot.
type engineMetric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(s *engine.Snapshot, now time.Time) float64
}

func engineDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("millrace_engine_"+name, help, append([]string{"partition"}, labels...), nil)
}

var (
	descEvents = engineDesc("events_total", "Events of the log by what became of them; every event has one outcome.", "outcome")
	descOwned  = engineDesc("partition_owned", "1 if this process counts the partition, 0 if it follows it as a standby.")

	descLagRecords = engineDesc("lag_records", "Records of the log that have not been processed, as of at most some seconds ago.")
	descLagEvents  = engineDesc("lag_events", "Events in those records, estimated by the mean of all records so far.")
	descLagSeconds = engineDesc("lag_seconds", "How long ago the log was, by the collectors' clocks, where the engine is; 0 if there is nothing unread.")
	descOldest     = engineDesc("uncommitted_seconds", "How long ago the oldest record that is not committed was taken from the log; 0 if there is none.")
	descStandbyLag = engineDesc("standby_lag_records", "Records of the changelog that a standby has not read, as of at most some seconds ago.")

	descOutbox = engineDesc("outbox_deltas", "Deltas that the changelog has not acknowledged.")
	descState  = engineDesc("state_bytes", "Disk space of the partition's state in this process.")

	engineSnapshots = []engineMetric{
		{engineDesc("records_total", "Records of the log, ticks included."), prometheus.CounterValue,
			func(s *engine.Snapshot, _ time.Time) float64 { return float64(s.Counters.Records) }},
		{engineDesc("dead_records_total", "Records of the log that could not be read."), prometheus.CounterValue,
			func(s *engine.Snapshot, _ time.Time) float64 { return float64(s.Counters.Dead) }},
		{engineDesc("untracked_events_total", "Events without a visit because their site has too many, since this process has the partition."), prometheus.CounterValue,
			func(s *engine.Snapshot, _ time.Time) float64 { return float64(s.Untracked) }},
		{engineDesc("open_windows", "Windows of minutes that are not final yet."), prometheus.GaugeValue,
			func(s *engine.Snapshot, _ time.Time) float64 { return float64(s.OpenWindows) }},
		{engineDesc("live_visits", "Visits that an event may still change."), prometheus.GaugeValue,
			func(s *engine.Snapshot, _ time.Time) float64 { return float64(s.LiveVisits) }},
		{engineDesc("remembered_ids", "Ids of events remembered to find duplicates."), prometheus.GaugeValue,
			func(s *engine.Snapshot, _ time.Time) float64 { return float64(s.IDs) }},
		{engineDesc("watermark_seconds", "Event time up to which the log is complete, Unix seconds."), prometheus.GaugeValue,
			func(s *engine.Snapshot, _ time.Time) float64 { return float64(s.Watermark) / 1000 }},
		{engineDesc("watermark_delay_seconds", "How far the watermark is behind the clock."), prometheus.GaugeValue,
			func(s *engine.Snapshot, now time.Time) float64 {
				if s.Watermark == 0 {
					return 0 // no collector has said anything yet
				}
				return now.Sub(s.Watermark.Std()).Seconds()
			}},
		{engineDesc("offset", "Offset of the last record applied."), prometheus.GaugeValue,
			func(s *engine.Snapshot, _ time.Time) float64 { return float64(s.Offset) }},
	}
)

// NewEngine returns the metrics of an engine that does not run yet. Registering them is the
// caller's.
func NewEngine() *Engine {
	return &Engine{fired: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "millrace_engine_fire_latency_seconds",
		Help: "Time from the end of a minute until the final windows of all its sites were acknowledged by Kafka.",
		// Two seconds are the grace.
		Buckets: []float64{1, 2, 2.5, 3, 3.5, 4, 5, 7.5, 10, 20, 60, 600, 3600},
	}, []string{"partition"})}
}

// Follow has the metrics read from an engine and its state from now on, instead of from the one
// before.
func (m *Engine) Follow(p *engine.Processor, table *state.Table) {
	m.source.Store(&engineSource{p, table})
}

// Fired observes a firing; it is engine.Options.Fired.
func (m *Engine) Fired(partition int32, until event.Time) {
	m.fired.WithLabelValues(strconv.Itoa(int(partition))).Observe(time.Since(until.Std()).Seconds())
}

// Describe is part of prometheus.Collector.
func (m *Engine) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descEvents, descOwned, descLagRecords, descLagEvents, descLagSeconds, descOldest, descStandbyLag, descOutbox, descState} {
		ch <- d
	}
	for _, e := range engineSnapshots {
		ch <- e.desc
	}
	m.fired.Describe(ch)
}

// Collect is part of prometheus.Collector.
func (m *Engine) Collect(ch chan<- prometheus.Metric) {
	m.fired.Collect(ch)
	src := m.source.Load()
	if src == nil {
		return
	}
	now := time.Now()
	for _, st := range src.engine.Status() {
		p := strconv.Itoa(int(st.Partition))
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, p)
		}
		store, open := src.table.Store(st.Partition)
		if open {
			gauge(descState, float64(store.SizeBytes()))
		}
		if !st.Owned {
			gauge(descOwned, 0)
			if open && st.ChangelogEnd >= 0 {
				gauge(descStandbyLag, float64(max(st.ChangelogEnd-store.Position(), 0)))
			}
			continue
		}
		gauge(descOwned, 1)
		if open {
			gauge(descOutbox, float64(store.OutboxLen()))
		}
		age := 0.0
		if !st.Oldest.IsZero() {
			age = now.Sub(st.Oldest).Seconds()
		}
		gauge(descOldest, age)
		gauge(descLagRecords, float64(st.Unread()))
		if st.Snapshot != nil {
			gauge(descLagSeconds, st.Behind(now).Seconds())
			collectSnapshot(ch, p, st.Snapshot, float64(st.Unread()), now)
		}
	}
}

func collectSnapshot(ch chan<- prometheus.Metric, partition string, s *engine.Snapshot, unread float64, now time.Time) {
	c := &s.Counters
	for outcome, n := range map[string]uint64{
		"on_time": c.OnTime, "late": c.Late, "dropped": c.Dropped, "bot": c.Bots, "duplicate": c.Duplicates, "ping": c.Pings,
	} {
		ch <- prometheus.MustNewConstMetric(descEvents, prometheus.CounterValue, float64(n), partition, outcome)
	}
	perRecord := float64(c.Events) / float64(max(c.Records, 1))
	ch <- prometheus.MustNewConstMetric(descLagEvents, prometheus.GaugeValue, unread*perRecord, partition)
	for _, e := range engineSnapshots {
		ch <- prometheus.MustNewConstMetric(e.desc, e.kind, e.read(s, now), partition)
	}
}
