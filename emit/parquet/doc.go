// Package parquet is the data lake: an archiver that writes every event of the topic into Parquet files, a
// reader that gives them back in the order of the log, and an importer that files events of other sources
// beside them.
//
// In go the records of millrace.events (through goka) or the events of a file; out come objects in a
// blob.Store:
//
//	dt=2026-11-23/hr=10/millrace.events-3-00000000000000012345.parquet
//	_progress/millrace.events-3-00000000000000013007.json
//
// dt and hr are the hour of event time, UTC, as Hive partitions; then topic, partition and the first offset of a
// segment. A segment is a piece of a partition's log; its rows lie in one object for each hour they
// touch. The progress object, written after the segment's objects, says up to which offset and which
// watermark the partition is archived.
//
// # Columns
//
//	id                 string     the event's id, "" if it has none
//	site, name         string
//	ts, received       timestamp  ms, UTC: event time, and when the collector took it in
//	visitor            string     16 hexadecimal digits; NULL if unknown, so that count(DISTINCT) is right
//	visitor_prev       string     the same under the salt of the day before; NULL but after midnight
//	url                string     as sent
//	hostname, path     string     of url: the host in lower case without a port; the path without a query
//	referrer, ua       string     as sent, "" if absent, as are all that follow
//	language, screen   string
//	country, region, city
//	                   string
//	props              string     JSON object of strings; NULL if there are none
//	revenue_amount     decimal    (18,4); NULL if there is no revenue, so that sums and averages are right
//	revenue_currency   string     ISO 4217
//	non_interactive    boolean    no sign of somebody's doing; files of the first builds lack it, which is false
//	client, bot        string
//	source_topic       string     where the row comes from: these four are unique in the lake
//	source_partition   int32
//	source_offset      int64
//	source_index       int32      of the event within its record, from 0
//
// Props are JSON text and not a MAP because every reader can take it apart (DuckDB: props->>'plan', Spark:
// get_json_object(props, '$.plan')) and because a nested column would cost each reader levels to decode. In
// SQL:
//
//	SELECT site, count(*) FROM read_parquet('lake/dt=*/hr=*/*.parquet', hive_partitioning = true)
//	WHERE dt = '2026-11-23' AND name = 'pageview' GROUP BY site;
//
// Files are compressed with zstd and sorted by site, ts and place in the log; row groups have at most 262,144
// rows. There are page and column statistics, by which readers skip to a site, but no bloom filters: for a
// site the dictionary of its column gives the same answer exactly and is read anyway, and for an id a filter
// would add 1.25 bytes to a row of about 30 for a question that no reader here asks.
//
// # Invariants
//
//   - What is archived is a pure function of the log. Segments are cut by what is in it (rows, bytes, low
//     watermarks), never by a clock, and the objects of a segment come out the same byte for byte whenever
//     they are made. So a crash at any point, followed by reading the log again from the committed offset,
//     makes the same objects again.
//   - Objects, then progress, then commit: the committed offset never passes the progress, and the progress
//     never passes the objects.
//   - Each (source_topic, source_partition, source_offset, source_index) is in the lake once. Lake.Check
//     proves this from the lake alone, and that nothing is missing.
//   - A record that can't be decoded is counted and left out; the engine puts it into the dead letters.
//   - A damaged file is an error that names the object, never a panic and never other rows: each file is
//     sealed with a checksum over all of it.
//
// Limits are refused loudly: a log that begins behind the end of the archive (ErrGap), a log that is not the
// one that was archived (ErrLog), progress that can't be read (ErrProgress).
//
// # Order
//
// Lake.ReadHour gives the events of an hour by topic, partition, offset and index. Lake.ReadSegment gives those of a segment,
// out of its files of several hours: one segment after the other, in order of their first offsets, is the log.
//
// # Units
//
// Offsets are Kafka's. Times are event.Time, ms since the epoch, UTC. Memory: an archiver holds a segment for
// each partition it owns, about 120 bytes a row and its distinct strings, 60 MB at the default of 250,000
// rows; a reader holds the decoded rows of one segment, about 100 MB.
//
// # Who may call it
//
// An Archiver's Run is called from one goroutine and lives until its context ends; it uploads in goka's
// partition goroutines, so that a partition whose upload waits for the store simply stops being consumed. Any
// number of instances share a topic by Kafka's consumer group. A Lake may be read by anyone at any time. An
// Importer belongs to one goroutine.
//
// # What it does not do
//
// It does not merge small files, delete old ones, parse user agents, or drop duplicates by event id: the lake
// holds what was sent, and the engine decides what counts.
package parquet
