// Package window is what Millrace counts: the families of rollups, the state of one open window, and the
// text a fired window travels in.
//
// In go rows (what the engine found out about one event, or what changed about one visit) and, at the other end, line
// protocol; out come chunks for the state store, folded windows, and points for sinks and readers. The way of a count:
//
//	Row      --RowWriter----> chunk --(concatenated by the store)--> Agg --> line protocol --Decode--> Window
//	VisitRow --VisitWriter--^                                        Aggs of minutes --Merge--> Agg of an hour
//
// A window is [Start, Start+Length) of event time of one site (and shard) and has a Kind: a minute or a quarter of an
// hour of visits, whose state is in the store, or an hour, which is folded from its minutes. The state
// of a window in the store is a sequence of chunks: rows as they came, folded rows, and marks left by firings.
// Concatenation is the merge operator; folding a sequence into one chunk changes nothing that can be read from it. That
// makes the hot path a blind append, and leaves the hash tables for the moment a window fires.
//
// Invariants:
//   - Agg is associative over chunks in log order: folding any prefix, middle or suffix first and the rest
//     later gives the same rollups. Counters are sums, visitors are unions of sketches, and the kept values of
//     a family are the first ones in log order, whichever way the sequence was cut.
//   - Encodings are canonical: equal windows are equal bytes (values sorted, sketches canonical).
//   - Rollups are whole values, never deltas: writing one twice changes nothing. A value that has been written is
//     written at every later firing, with zeros if visits have moved away from it.
//   - Decoding chunks and lines is total: an error, never a panic.
//
// Units: times are event.Time (ms, UTC), written to line protocol in seconds. Revenue is event.Money, ten-thousandths
// of the unit of whatever currency the site has, in line protocol too. Durations of visits are seconds. Sketches are in
// the encoding of package sketch, base64 (RFC 4648, with padding) in line protocol.
//
// The package imports the leaves engine/event and engine/sketch only. An Agg, a writer of rows and an Encoder
// belong to one goroutine.
//
// It does not decide when a window fires (package engine does), nor what a visit is (package visit), nor keep
// anything (state, emit/local do).
package window
