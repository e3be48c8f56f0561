// Package window is what Millrace counts: the families of rollups, the state of one open window,
// and the text a fired window travels in.
//
// In go rows (what the engine found out about an event, or what changed about one visit) and, at
// the other end, line protocol; out come chunks for the state store, folded windows, and points for
// sinks and readers. The way of a count:
//
//	Row      --RowWriter----> chunk --(concatenated by the store)--> Agg --> line protocol --Decode--> Window
//	VisitRow --VisitWriter--^                                        Aggs of minutes --Merge--> Agg of an hour
//
// Its five concerns are five groups of files:
//
//   - What is counted: family.go (dimensions and families), kind.go (minutes, hours, visits),
//     point.go (Window, Point, Rollup), value*.go (which texts values are, the closed sets, and
//     what stands for no value).
//   - The codec of rows: row*.go (rows, origins, chunks), the format that the state store holds.
//   - The table of known values: internal/known, which rows hold as numbers.
//   - Aggregation: agg*.go (Agg, its hash tables, folding, the choice of an hour's values).
//   - Line protocol: lines*.go (windows and progress as text, and back), the format of the topic
//     and of InfluxDB.
//
// A minute of one site is counted and read back so:
//
//	var w window.RowWriter
//	w.Add(&window.Row{Flags: window.PageviewRow, Visitor: v, Dims: dims})
//	chunk := w.AppendChunk(nil) // the store concatenates it to those before
//
//	a := window.NewAgg(500)
//	err := a.Add(chunk)
//	lines, err := a.Window("example.com", 0, start, offset, true).AppendLines(nil)
//	rec, err := window.Decode(lines) // rec.Window has the same points
//
// A window is [Start, Start+Length) of event time of one site (and shard) and has a Kind: a minute
// or a quarter of an hour of visits, whose state is in the store, or an hour, which is folded from
// its minutes. The state of a window in the store is a sequence of chunks: rows as they came,
// folded rows, and marks left by firings. Concatenation is the merge operator; folding a sequence
// into one chunk changes nothing that can be read from it. That makes the hot path a blind append,
// and leaves the hash tables for the moment a window fires.
//
// Invariants:
//   - Agg is associative over chunks in log order: folding any prefix, middle or suffix first and
//     the rest later gives the same rollups. Counters are sums, visitors are unions of sketches,
//     and the kept values of a family are the first ones in log order, whichever way the sequence
//     was cut.
//   - An hour keeps those of its minutes' values that count most events (see agg_choose.go). Its
//     minutes are merged in ascending order; below hourRoom budgets of values the order changes
//     nothing.
//   - Encodings are canonical: equal windows are equal bytes (values sorted, sketches canonical).
//   - Every human event and visit counts in Totals, and in each other family under its value or, if
//     it has none, in one of the families of Family.LackingIn, whose points Family.NoneOf turns
//     into those of None.
//   - Rollups are whole values, never deltas: writing one twice changes nothing. A value that has
//     been written is written at every later firing of a minute or of visits, with zeros if visits
//     have moved away from it. An hour that fires again may have chosen others: a sink takes away,
//     or overwrites with zeros, what a newer version has no more.
//   - Decoding chunks and lines is total: an error, never a panic.
//
// Units: times are event.Time (ms, UTC), written to line protocol in seconds. Revenue is
// event.Money, ten-thousandths of the unit of whatever currency the site has, in line protocol too.
// Durations of visits are seconds. Sketches are in the encoding of package sketch, base64 (RFC
// 4648, with padding) in line protocol.
//
// The package imports the leaves engine/event, engine/sketch and engine/wire only. An Agg, a writer
// of rows and an Encoder belong to one goroutine.
//
// It does not decide when a window fires (package engine does), nor what a visit is (package
// visit), nor keep anything (state, emit/local do).
package window
