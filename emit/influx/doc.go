// Package influx is the rollup store in InfluxDB: a sink of fired windows, and a reader of rollups
// for queries.
//
// In go windows and progress; out go points, the line protocol of package window, one measurement
// per family and kind of window, and besides them one point of the measurement "replaced"
// (replaced_hour, replaced_visits) for each window that a replay has replaced. What InfluxDB
// refuses for good goes to a [DeadLetter]. A [window.Selection] goes in to be read; out come
// points, streamed in ascending order of their window. Two types:
//
//   - [Sink] writes, replaces, and sorts failures. Any error but its context's end is repeated
//     until it is gone. It is an emit.Sink: the emit.Consumer feeds it from the topic
//     millrace.windows.
//   - [Reader] scans points, lists sites, and reports how far each partition has been counted, in
//     the InfluxQL that 1.x, 2.x and 3.x share. Package query calls it, through an interface of its
//     own.
//
// The measurements, with a page of a minute and of an hour, a source of visits, and the progress of
// a partition:
//
//	page,page=/pricing,site=example.com events=3i,pageviews=3i,visitors=2i,sketch="…",version=1234i,final=true 1700000040
//	page_hour,page=/pricing,site=example.com events=90i,pageviews=90i,visitors=70i,revenue=0i,sketch="…",version=9999i,final=true 1699999200
//	source_visits,site=example.com,source=Google visits=3i,bounces=1i,seconds=300i,views=9i,version=9999i,final=true 1700000100
//	progress,partition=3 low=1700000040000i,hours=1699999200000i,offset=1234i 1700000040
//
// # Invariants
//
//   - Write and WriteBatch return when InfluxDB (or the dead letter) has acknowledged all points,
//     however long that takes. InfluxDB down for hours loses nothing: Kafka holds the windows, and
//     the consumer holds the commit.
//   - Rule J10: an older version of a window is not written after a newer one, see below.
//   - A progress point is written after every window it speaks of.
//   - Writing is idempotent: points are whole values with all fields of their kind, and a point is
//     named by measurement, tags and time.
//   - A newer version takes the place of an older one as a whole: values that it has no more are
//     overwritten with zeros, which readers skip. Windows of one version are parts of one firing,
//     and add up.
//   - Memory is bounded, however long InfluxDB is away: see emit.Consumer. A scan holds one chunk
//     of the answer, whatever its range.
//   - Measurements, tags and fields in a query come from the table of families; text of visitors
//     only through influxdb.Quote. No value can change what a query means.
//   - To a reader a point whose counters are all zero is not there: it stands for a value that was
//     taken away. A database that does not exist yet is an empty one.
//   - A point that this package has not written is an error that names it; nothing is silently left
//     out.
//
// # Rule J10: why no older version stays
//
// A version is kept where the value is: as a field of the point, in the same write. There is no
// second copy, in a group table or a file, that could be lost, grow without bound, or run ahead of
// or behind what InfluxDB holds. (goka's table could not be written in the order that would be
// wanted, write, then table, then commit: a context sets values only inside its callback, and a
// write of many windows ends after their callbacks.) Sink knows the versions of the moments (a kind
// of window and a start) it has to do with: it reads those of a moment (all sites at once) when it
// first touches the moment, and again when what it knows is a minute old, and it notes what it
// sends, before it sends it. A window with a smaller version than the known one is skipped. What is
// remembered is bounded (maxKnown) and may be forgotten at any time.
//
// Let v be the largest version of a window among the records of the topic; its record lies at
// offset o.
//
//   - v ends up in InfluxDB: o is committed only after v was acknowledged, and until then any owner
//     of the partition gets the record again. Skipping v would take a larger version.
//   - After v is acknowledged, a record with a smaller version (an engine that was thought dead, a
//     firing repeated after a restart) is skipped: by the same process because it noted v; by
//     another because it reads v.
//   - Killed between write and commit: the records since the commit come again, in order. Older
//     versions among them are skipped, for v is read; v itself is written again, which changes
//     nothing.
//   - Killed in the middle of a window, some points of v written: totals, bot or dropped may still
//     carry the older version, and an older one is let through if it comes first; but v was not
//     committed, and v comes again. What the older version has left is found by the points' own
//     versions: below v, it goes.
//   - A rebalance: the version cache is emptied when a session begins, because another owner may
//     have written between. Within a session there is one writer per partition, and one request at
//     a time.
//
// What remains is a write that takes effect after a later one was acknowledged: a request that the
// server held back longer than our time-out, or one sent by a process that was frozen between its
// last look and the system call. InfluxDB has no conditional write, so a client can't exclude it.
// It is kept narrow: a process that finds that it stood still (SIGSTOP, a suspended machine) sends
// nothing until it owns the partition anew, requests are cut off when the session ends, and the
// time-out is longer than InfluxDB's own (10 s). The next version of the window repairs it, and so
// does replay; a sink that comes across it counts it ([Stats].Regressed).
//
// # Units
//
// Times of points are seconds, of windows event.Time (ms), in queries nanoseconds. Sizes are bytes
// of uncompressed line protocol. Sketches are in the encoding of package sketch.
//
// # Who may call it
//
// cmd makes them and plugs them in. A Sink may be used by any number of goroutines; its calls take
// turns. One process writes a partition live; replay may write the same database at the same time.
// A Reader may be used by any number of goroutines.
//
// It does not add up counters of shards or unite sketches, which is the caller's part, create
// topics, or decide about retention in InfluxDB.
package influx
