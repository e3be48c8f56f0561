package main

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/emit/local"
	"millrace/emit/parquet"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/state"
)

// counter registers a counter that is read when somebody looks. Names are fixed in code, so a clash is a bug that the
// first start shows.
func (a *admin) counter(name, help string, labels map[string]string, read func() float64) {
	a.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, read))
}

func (n *node) countLocal(e *local.Emitter) {
	stat := func(name, help string, read func(local.EmitterStats) uint64) {
		n.admin.counter("millrace_rollup_"+name+"_total", help, nil, func() float64 { return float64(read(e.Stats())) })
	}
	stat("windows", "Windows written to the rollup store.", func(s local.EmitterStats) uint64 { return s.Windows })
	stat("stale", "Windows ignored because a newer version was stored.", func(s local.EmitterStats) uint64 { return s.Stale })
	stat("batches", "Batches written to the rollup store.", func(s local.EmitterStats) uint64 { return s.Batches })
	stat("dead", "Records of windows that could not be read.", func(s local.EmitterStats) uint64 { return s.Dead })
}

func (n *node) countInflux() {
	sink := n.stores.influx.Sink
	stat := func(name, help string, read func() int64) {
		n.admin.counter("millrace_influx_"+name+"_total", help, nil, func() float64 { return float64(read()) })
	}
	stat("requests", "Requests to write.", func() int64 { return sink.Stats().Requests })
	stat("retries", "Requests repeated after a failure.", func() int64 { return sink.Stats().Retries })
	stat("points", "Points that InfluxDB has acknowledged.", func() int64 { return sink.Stats().Points })
	stat("rejected", "Points that became dead letters.", func() int64 { return sink.Stats().Rejected })
	stat("windows", "Windows written.", func() int64 { return sink.Stats().Windows })
	stat("stale", "Windows ignored because a newer version was stored.", func() int64 { return sink.Stats().Older })
}

func (n *node) countArchive(a *parquet.Archiver) {
	stat := func(name, help string, read func(parquet.Stats) int64) {
		n.admin.counter("millrace_archive_"+name+"_total", help, nil, func() float64 { return float64(read(a.Stats())) })
	}
	stat("rows", "Events written to the archive.", func(s parquet.Stats) int64 { return s.Rows })
	stat("objects", "Files written to the archive.", func(s parquet.Stats) int64 { return s.Objects })
	stat("bytes", "Bytes written to the archive.", func(s parquet.Stats) int64 { return s.Bytes })
	stat("skipped", "Records that could not be decoded.", func(s parquet.Stats) int64 { return s.Skipped })
	stat("failures", "Failed requests to the store, each of which is repeated.", func(s parquet.Stats) int64 { return s.Failures })
}

// engineMetrics are what the engine's partitions tell. The counts are part of the journal: they go on after a restart, and a
// partition's are told by whoever owns it. Nothing is done for them before somebody looks, but for one observation a
// minute and partition.
type engineMetrics struct {
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

func newEngineMetrics() *engineMetrics {
	return &engineMetrics{fired: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "millrace_engine_fire_latency_seconds",
		Help: "Time from the end of a minute until the final windows of all its sites were acknowledged by Kafka.",
		// Two seconds are the grace.
		Buckets: []float64{1, 2, 2.5, 3, 3.5, 4, 5, 7.5, 10, 20, 60, 600, 3600},
	}, []string{"partition"})}
}

// onFired is engine.Options.Fired.
func (m *engineMetrics) onFired(partition int32, until event.Time) {
	m.fired.WithLabelValues(strconv.Itoa(int(partition))).Observe(time.Since(until.Std()).Seconds())
}

// Describe is part of prometheus.Collector.
func (m *engineMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descEvents, descOwned, descLagRecords, descLagEvents, descLagSeconds, descOldest, descStandbyLag, descOutbox, descState} {
		ch <- d
	}
	for _, e := range engineSnapshots {
		ch <- e.desc
	}
	m.fired.Describe(ch)
}

// Collect is part of prometheus.Collector.
func (m *engineMetrics) Collect(ch chan<- prometheus.Metric) {
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
		"on_time": c.OnTime, "late": c.Late, "dropped": c.Dropped, "bot": c.Bots, "duplicate": c.Duplicates,
	} {
		ch <- prometheus.MustNewConstMetric(descEvents, prometheus.CounterValue, float64(n), partition, outcome)
	}
	perRecord := float64(c.Events) / float64(max(c.Records, 1))
	ch <- prometheus.MustNewConstMetric(descLagEvents, prometheus.GaugeValue, unread*perRecord, partition)
	for _, e := range engineSnapshots {
		ch <- prometheus.MustNewConstMetric(e.desc, e.kind, e.read(s, now), partition)
	}
}
