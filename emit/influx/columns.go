package influx

import (
	"strings"

	"millrace/engine/window"
)

// The tags and fields of points, as the line protocol of package window names them. Writer and
// reader take them from here.
const (
	timeColumn = "time" // InfluxDB's own

	siteTag      = "site"
	shardTag     = "shard"
	partitionTag = "partition"

	versionField = "version"
	finalField   = "final"
	sketchField  = "sketch"
	revenueField = "revenue"
	paidField    = "paid"

	lowField    = "low"
	hoursField  = "hours"
	offsetField = "offset"
)

// progressName is the measurement of progress.
const progressName = "progress"

// replacedName returns the measurement that says which windows of a kind a replay has replaced
// (replaced, replaced_hour, replaced_visits):
//
//	replaced,site=example.com version=1234i 1700000040
//
// Version is the one that the window had, and kept. A window whose points carry a larger one was
// written live since.
func replacedName(k window.Kind) string {
	return "replaced" + strings.TrimPrefix(window.Measurement(k, window.Totals), window.Totals.String())
}

// pointFields returns the counters that points of a kind have. A point has all of them or was not
// written by this package, but revenue and paid, which line protocol leaves out where they are 0.
func pointFields(k window.Kind) []string {
	if k == window.Visits {
		return []string{"visits", "bounces", "seconds", "views"}
	}
	return []string{"events", "pageviews", "visitors", revenueField, paidField}
}

// valueFields returns the counters of which one at least is not zero in a value that is there.
func valueFields(k window.Kind) []string {
	if k == window.Visits {
		return pointFields(k)
	}
	return []string{"events", "pageviews", revenueField}
}
