// Package lake is the archive of all events: a data lake of Parquet files in a blob.Store.
//
// It has four parts, and the format that they share:
//
//   - The writer (writer*.go): an [Archiver] files every event of the topic, through goka; an
//     [Importer] files the events of an imported file beside them.
//   - Hits (hits*.go): with [HitsOptions] an Archiver also makes hits and visits of the log (package
//     engine/hits), in the same pass, and commits them (package commits); [ReplaceImported] puts those of
//     imported events in the place of what a range of days had.
//   - The reader (reader*.go): a [Reader] gives events back in the order of the log, and reports
//     how far the archive has come.
//   - The checker (checker.go): [Reader.Check] proves from the lake alone that nothing is missing
//     and nothing is there twice.
//   - The format (format*.go): [Key] names an object, [Progress] says how far a partition is
//     archived, the schema has the columns, and each file has a seal.
//
// In go the records of millrace.events or the events of a file; out come objects:
//
//	dt=2026-11-23/hr=10/millrace.events-3-00000000000000012345.parquet
//	dt=1970-01-01/hr=10/_progress.millrace.events-3-00000000000000013007.parquet
//	hits/millrace.events-3/dt=2026-11-23/segment-….parquet, and _ledger/….bin
//	visits/millrace.events-3/dt=2026-11-23/segment-….parquet
//
// dt and hr are the hour of event time, UTC, as Hive partitions; then topic, partition and the
// first offset of a segment. A segment is a piece of a partition's log; its rows lie in one object
// for each hour they touch. The progress object, written after the segment's objects, says up to
// which offset and which watermark the partition is archived; it is a Parquet file without a row
// and has that in its metadata, so that all of dt=*/ is one table to every reader,
// polars.scan_parquet("lake/dt=*/hr=*/*.parquet") among them. Builds before had _progress/….json in its place, which
// is read and moved. Beside the progress, and of the same kind, lies _progress.rules.parquet: the
// rules that the stream is counted by, which serve leaves with [PutRules] and [Reader.Rules]
// returns, as text; and _progress.note.….parquet, notes of commands that are at work and of what sites
// are counted by.
//
// An archive is filled, read back and checked so:
//
//	a, err := lake.New(lake.Options{Topic: "millrace.events", Store: store, …})
//	go a.Run(ctx)
//
//	r := lake.NewReader(store)
//	err = r.ReadHour(ctx, hour, "example.com", func(e *event.Event, at lake.Source) error { … })
//	report, err := r.Check(ctx)
//
// # Hits
//
// Files of hits and of visits have the columns of package hitfile, the seal of all files here, and the names of package commits, and
// lie under the UTC day (dt) of which they are: a hit under that in which its visit began, as far as that was known when the
// hit was made, and without a visit its own; a visit under that of its beginning. Which of them count the chain of commits says,
// and no listing. Beside them lie the checkpoints that the reading of the log is gone on from.
//
// A segment is stored in this order: its rows, hits, visits, the checkpoint; the commit; the progress; then the offset may be
// committed. So the chain of commits is never behind the raw archive, and after a crash it may be ahead of it: what it has is
// passed over. Where it lacks records that are archived, because hits were switched on later, or another owner's commit came in
// between, they are read back from Kafka (HitsOptions.Records). What Kafka has no more has no hits, and commits.State.Began says
// from when hits are whole: from the watermark at the first record, and as much later as a visit can be long and an
// event late.
//
// What can't be gone on with (a checkpoint that is gone or damaged, a gap in the log, another log) is made anew of what Kafka has,
// with a WARN: raw rows are never held up by what is derived of them, but for a store or a topic of commits that does not answer.
//
// Imported events have a chain of their own (commits.ImportsTopic), with files of whole days and no checkpoints. Whose import it is makes the hits
// of all days that its events may change anew, out of all imported rows, and replaces the days' files in one commit: a file that is the same stays.
// So the same import again changes nothing, one that was cut off is completed by another, and two of one day end with the same as one of both.
// The state lists the topics that have hits; the Archiver of partition 0 deletes what was replaced.
//
// What is counted again of the log, by other rules, a [Recount] puts in the place of what there is, in commits of the same chain.
//
// A merge of files, whoever makes it and in whichever goroutine, rides on the next commit of its partition: see Archiver.Offer.
//
// # Erasures
//
// What is known of a visitor of a site up to a moment can be taken away ([PutErasure], then [Reader.Erase]). The erasure is a note beside the
// progress, _progress.note.erased.….parquet, and stays for good: whatever is archived, imported or read again, an archiver leaves such
// rows out, and a Reader that finds some gives none. Erase writes the objects that have some again, in place. Such an object has the
// places (offset, index) of the rows that it has had in its metadata (millrace.erased), so that the proofs of Check, Whole and Lost
// hold. It is the same, byte for byte, as one of an archiver that has known the erasure from the beginning.
//
// An erased id that was somebody's of the day before (visitor_prev) goes from rows of the day after, which stay.
//
// Of hits an erasure is a part of the chain of commits (commits.Erasure): the partition's owner commits it with the first segment whose
// rows it has left out, and readers leave out those of before. While merging is on, the owner's process looks through the files that may have
// some, and merges each that has to one without. The chain of imported files gets it from [EraseImported], for all lines whenever they come; its
// files are written again when their days are.
//
// # Retention
//
// What is past the retention of its site an Archiver with [RetainOptions] deletes, of its partitions and, with the first, of imports: raw objects
// and files of hits and visits of which nothing else is, and the others it writes again. What is gone is [Expired], a note beside the progress,
// _progress.note.expired.….parquet; _progress.note.expiring.parquet has what is to go and waits. An object is noted to be gone before it is
// deleted, and counts as there for Check, Whole and Lost.
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
//	non_interactive    boolean    no sign of a visitor's doing; files of the first builds lack it, which is false
//	ping               boolean    no event: a tracker's report on a view that goes on; leave these out of counts
//	engaged_ms         int64      of a ping: how long the page was in use since the one before; NULL if not known
//	scroll_depth       int32      of a ping: how far down the page was seen, percent; NULL if not known
//	hash_route         boolean    the fragment of url is part of the page. Files of earlier builds lack these four
//	client, bot        string
//	source_topic       string     where the row comes from: these four are unique in the lake
//	source_partition   int32
//	source_offset      int64
//	source_index       int32      of the event within its record, from 0
//
// Props are JSON text and not a MAP because every reader can take it apart (DuckDB: props->>'plan',
// Spark: get_json_object(props, '$.plan')) and because a nested column would cost each reader
// levels to decode. In SQL:
//
//	SELECT site, count(*) FROM read_parquet('lake/dt=*/hr=*/*.parquet', hive_partitioning = true)
//	WHERE dt = '2026-11-23' AND name = 'pageview' GROUP BY site;
//
// Files are compressed with zstd and sorted by site, ts and place in the log; row groups have at
// most 262,144 rows. There are statistics of columns, and of the pages of site and ts, by which readers skip to a site, but no
// bloom filters: for a site the dictionary of its column gives the same answer exactly and is read
// anyway, and for an id a filter would add 1.25 bytes to a row of about 30 for a query that no
// reader here makes.
//
// # Invariants
//
//   - What is archived is a pure function of the log, the erasures and what is expired. Segments are cut by what is in it (rows,
//     bytes, low watermarks), never by a clock, and the objects of a segment come out the same byte
//     for byte whenever they are made. So a crash at any point, followed by reading the log again
//     from the committed offset, makes the same objects again. One exception: the Sole archiver of
//     a log ends its last segments where it is stopped.
//   - Objects, then progress, then commit: the committed offset never passes the progress, and the
//     progress never passes the objects. With hits the progress never passes their commits either.
//   - Each event that has a hit has one in the files that the chain names, or is erased, and that one is a function of the
//     log, the rules and the erasures.
//   - Each (source_topic, source_partition, source_offset, source_index) is in the lake once, or erased, or expired.
//     Reader.Check proves this from the lake alone, and that nothing is missing.
//   - What is erased is never given again.
//   - A record that can't be decoded is counted and left out; the engine puts it into the dead
//     letters.
//   - A damaged file is an error that names the object, never a panic and never other rows: each
//     file is sealed with a checksum over all of it.
//
// Limits are refused loudly: a log that begins behind the end of the archive (ErrGap), a log that
// is not the one that was archived (ErrLog), progress that can't be read (ErrProgress).
//
// # Order
//
// Reader.ReadHour gives the events of an hour by topic, partition, offset and index.
// Reader.ReadSegment gives those of a segment, out of its files of several hours: one segment after
// the other, in order of their first offsets, is the log.
//
// # Units
//
// Offsets are Kafka's. Times are event.Time, ms since the epoch, UTC. Memory: an archiver holds a
// segment for each partition it owns, about 130 bytes a row and its distinct strings, 60 MB at the
// default of 250,000 rows, twice that with hits, and the engine's live visits and ids; a reader holds the decoded rows of one segment, about 100 MB.
//
// # Who may call it
//
// An Archiver's Run is called from one goroutine and lives until its context ends; it uploads in
// goka's partition goroutines, so that a partition whose upload waits for the store simply stops
// being consumed. Any number of instances share a topic by Kafka's consumer group. A Reader may be
// used by any number of goroutines at any time. An Importer belongs to one goroutine.
//
// # What it does not do
//
// It does not merge raw files, find out the id of a visitor, parse user agents, or drop duplicates by event
// id: the lake holds what was sent, and the engine decides what counts.
package lake
