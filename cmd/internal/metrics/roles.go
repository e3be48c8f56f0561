package metrics

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/emit"
	emitinflux "millrace/emit/influx"
	"millrace/emit/lake"
	"millrace/internal/certs"
)

// Counter registers a counter that is read at each scrape. Names are fixed in code, so a clash is a
// bug that the first start shows.
func Counter(r prometheus.Registerer, name, help string, labels map[string]string, read func() float64) {
	r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, read))
}

// Local registers what the local store's emitter counts.
func Local(r prometheus.Registerer, e *emit.Consumer) {
	stat := func(name, help string, read func(emit.Stats) uint64) {
		Counter(r, "millrace_rollup_"+name+"_total", help, nil, func() float64 { return float64(read(e.Stats())) })
	}
	stat("windows", "Windows written to the rollup store.", func(s emit.Stats) uint64 { return s.Windows })
	stat("superseded", "Windows left out because they fired again before they were written.", func(s emit.Stats) uint64 { return s.Superseded })
	stat("stale", "Windows ignored because a newer version was stored.", func(s emit.Stats) uint64 { return s.Stale })
	stat("batches", "Batches written to the rollup store.", func(s emit.Stats) uint64 { return s.Batches })
	stat("dead", "Records of windows that could not be read.", func(s emit.Stats) uint64 { return s.Dead })
}

// Influx registers what the sink of InfluxDB counts.
func Influx(r prometheus.Registerer, sink *emitinflux.Sink) {
	stat := func(name, help string, read func() int64) {
		Counter(r, "millrace_influx_"+name+"_total", help, nil, func() float64 { return float64(read()) })
	}
	stat("requests", "Requests to write.", func() int64 { return sink.Stats().Requests })
	stat("retries", "Requests repeated after a failure.", func() int64 { return sink.Stats().Retries })
	stat("points", "Points that InfluxDB has acknowledged.", func() int64 { return sink.Stats().Points })
	stat("rejected", "Points that became dead letters.", func() int64 { return sink.Stats().Rejected })
	stat("windows", "Windows written.", func() int64 { return sink.Stats().Windows })
	stat("stale", "Windows ignored because a newer version was stored.", func() int64 { return sink.Stats().Older })
}

// Archive registers what the archiver counts.
func Archive(r prometheus.Registerer, a *lake.Archiver) {
	stat := func(name, help string, read func(lake.Stats) int64) {
		Counter(r, "millrace_archive_"+name+"_total", help, nil, func() float64 { return float64(read(a.Stats())) })
	}
	stat("rows", "Events written to the archive.", func(s lake.Stats) int64 { return s.Rows })
	stat("objects", "Files written to the archive.", func(s lake.Stats) int64 { return s.Objects })
	stat("bytes", "Bytes written to the archive.", func(s lake.Stats) int64 { return s.Bytes })
	stat("skipped", "Records that could not be decoded.", func(s lake.Stats) int64 { return s.Skipped })
	stat("failures", "Failed requests to the store, each of which is repeated.", func(s lake.Stats) int64 { return s.Failures })
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "millrace_archive_stored_timestamp_seconds", Help: "When events were archived last, in Unix seconds; 0: not since the start.",
	}, func() float64 { return float64(a.Stats().Stored) / 1000 }))
}

// Hits registers what the archiver counts of hits and visits.
func Hits(r prometheus.Registerer, a *lake.Archiver) {
	stat := func(name, help string, read func(lake.HitStats) int64) {
		Counter(r, "millrace_hits_"+name+"_total", help, nil, func() float64 { return float64(read(a.HitStats())) })
	}
	stat("rows", "Hits written, rows of events for queries.", func(s lake.HitStats) int64 { return s.Hits })
	stat("visit_rows", "Visits written beside hits, and joins of two.", func(s lake.HitStats) int64 { return s.Visits })
	stat("objects", "Files of hits, visits and checkpoints written.", func(s lake.HitStats) int64 { return s.Objects })
	stat("bytes", "Bytes of these files.", func(s lake.HitStats) int64 { return s.Bytes })
	stat("commits", "Commits of hits that counted.", func(s lake.HitStats) int64 { return s.Commits })
	stat("commits_passed", "Commits of hits that did not count, because another owner of the partition was first; what they had is made again.", func(s lake.HitStats) int64 { return s.Passed })
	stat("caught_up_records", "Records of the log of which hits were made after they had been archived.", func(s lake.HitStats) int64 { return s.CaughtUp })
	stat("begun_anew", "Times that hits of a partition could not be gone on with, and were made anew of the log.", func(s lake.HitStats) int64 { return s.Anew })
	stat("merges", "Merges of files of hits and visits.", func(s lake.HitStats) int64 { return s.Merges })
	stat("merges_dropped", "Merges that came to nothing, because another owner of the partition had merged the files.", func(s lake.HitStats) int64 { return s.MergesOff })
	stat("merges_failed", "Merges that could not be made; the files stay as they are, and are tried again in an hour.", func(s lake.HitStats) int64 { return s.MergesFailed })
	stat("merged_files", "Files that merges were made of.", func(s lake.HitStats) int64 { return s.MergedFiles })
	stat("merged_rows", "Rows of merged files.", func(s lake.HitStats) int64 { return s.MergedRows })
	stat("merged_bytes", "Bytes of merged files.", func(s lake.HitStats) int64 { return s.MergedBytes })
	stat("swept_files", "Files deleted that merges had replaced, or that nothing names.", func(s lake.HitStats) int64 { return s.Swept })
}

// Retention registers what the archiver counts of what sites keep no longer.
func Retention(r prometheus.Registerer, a *lake.Archiver) {
	stat := func(name, help string, read func(lake.RetainStats) int64) {
		Counter(r, "millrace_retention_archive_"+name+"_total", help, nil, func() float64 { return float64(read(a.RetainStats())) })
	}
	stat("rows", "Rows of the archive, of events, hits and visits, that were older than their sites' retention and are gone, or go within two hours.", func(s lake.RetainStats) int64 { return s.Rows })
	stat("objects", "Files of events that retention has deleted from the archive.", func(s lake.RetainStats) int64 { return s.Objects })
	stat("files", "Files of hits and visits that retention has taken out of the archive.", func(s lake.RetainStats) int64 { return s.Files })
	stat("rewrites", "Files of the archive that were written again without rows older than their sites' retention.", func(s lake.RetainStats) int64 { return s.Rewrites })
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "millrace_retention_archive_last_success_timestamp_seconds", Help: "When the archive of the process's partitions last had no more than its sites keep, in Unix seconds; 0: not since the start.",
	}, func() float64 { return float64(a.RetainStats().Passed) / 1000 }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "millrace_retention_archive_waiting_sites", Help: "Sites of which more days are to go from the archive than usual, and wait for a day. The log names them.",
	}, func() float64 { return float64(a.RetainStats().Waiting) }))
}

// Certificates are the metrics of the certificates of the public address and of the operators' port, one
// or both: of the one that ends first, and whether the files of any are not in use as they are now.
func Certificates(r prometheus.Registerer, pairs []*certs.Pair) {
	remaining := func() time.Duration {
		return slices.MinFunc(pairs, func(a, b *certs.Pair) int { return cmp.Compare(a.Remaining(), b.Remaining()) }).Remaining()
	}
	failing := func() bool { return slices.ContainsFunc(pairs, func(p *certs.Pair) bool { return p.Err() != nil }) }
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "millrace_tls_certificate_remaining_days", Help: "Days that the certificate in use is good for, of --tls-cert and --admin-tls-cert the one that ends first; negative once it has expired.",
	}, func() float64 { return remaining().Hours() / 24 }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "millrace_tls_reload_failing", Help: "1 while the files of certificate and key have changed to what can't be used, and the old ones are in use.",
	}, func() float64 {
		if failing() {
			return 1
		}
		return 0
	}))
}
