// Package hitfile writes and reads files of hits and of visits: Parquet, one row each, for queries that no rollup answers.
//
// In go hits, visits that have ended and joins (package engine/hits), in any order; out comes a file, sorted by site, visitor and
// time, so that a visitor's way through a site is one run of rows.
//
//	b := hitfile.NewBuffer() // or NewVisitBuffer(topic, partition)
//	… // b.Hit(h) for each; or v.Visit(v) and v.Join(j)
//	err := b.Encode(&out)
//	b.Reset()
//
// A file is read by columns, a row group or a page of it at a time (package colfile, which says how files are built and checked):
//
//	f, err := hitfile.Hits.Open(key, object, object.Size())
//	g, err := f.Group(0, []int{site, page})      // places in Hits.Schema().Columns
//	err = g.Column(page, &vector)
//
// # Columns of hits
//
//	site               string
//	visitor            int64      the bits of event.Visitor, since Delta has no unsigned type; NULL if nobody knows who it was
//	visit              int64      the visit's name (visit.ID); NULL for a hit of no visit
//	ts                 timestamp  ms, UTC: event time
//	class              string     human, bot, dropped (too late for its minute), ping (no event): see hits.Class
//	counted            timestamp  of a dropped hit the minute that counts it; NULL for others
//	name               string     the event's name
//	pageview           boolean
//	non_interactive    boolean
//	page, hostname     string     of the event. "" in this and all that follow: it has none
//	entry_page         string     of its visit, and so are all that follow, as they were when the event came
//	source, referrer, channel
//	utm_source, utm_medium, utm_campaign, utm_content, utm_term
//	country, region, city, language
//	browser, browser_version, os, os_version, device, screen
//	reason             string     why a bot was taken for one
//	revenue_amount     decimal    (18,4); NULL if the event has none that counts
//	revenue_currency   string     ISO 4217
//	props              string     JSON object of strings; NULL if there are none
//	engaged_ms         int64      of a ping; NULL if not known
//	scroll_depth       int32      of a ping, percent; NULL if not known
//	source_topic, source_partition, source_offset, source_index
//	                              where the event stands in the log: the same as in the raw file
//
// Dimensions have the values that rollups have, and a query that has any filter on class is exact: the rollups of people count the
// rows of class human.
//
// # Columns of visits
//
// A row is a visit that has ended, or a join: then into is not NULL, and what there is besides is site, visitor, visit and begin.
//
//	site, visitor      as above; of a visit never NULL
//	visit              int64      its name; NULL in no row
//	into               int64      of a join the visit that visit has become a part of, which may have joined another itself. NULL: a visit
//	begin, end         timestamp  ms, UTC: of its first event, and of its last event or ping; of a join begin is that of the visit
//	                              that is no more, and end NULL
//	events, pageviews  int32
//	interactive        boolean    an event that is no pageview, nor marked as non-interactive, is among them
//	pinged             boolean    a ping has lengthened it
//	bounce             boolean    it has one pageview and is not interactive
//	seconds            int64      its duration as windows count it: end less begin, 0 of a bounce that has no ping
//	entry_page, exit_page, hostname
//	source … screen    as above: those of the visit in the end
//	source_topic, source_partition
//	                              the log in which visit is a place
//
// # Invariants
//
//   - A file is a function of its rows, byte for byte, in whatever order they were added.
//
//   - Files are sealed (package seal), and a damaged one is an error that names it, also for one who reads a part of it.
//
//   - Row groups have at most 65,536 rows, and at most 16 MB of text that is not the same.
//
// # What it does not do
//
// It puts nothing into a store: package lake does. It resolves no joins: a hit has the visit that it was given; merging (hitmerge) does.
package hitfile
