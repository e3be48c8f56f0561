// Package known is the table of values that rows hold as a number.
//
// In goes a value of a dimension, out comes its number, and back. The first 128 numbers take one
// byte in a row, the others two; the values are those that most sites have: countries, languages,
// browsers and systems and their versions, sources, and the commonest referrers.
//
//	n := known.Number("Chrome")        // -1 if it is none of them
//	if n >= 0 { s = known.Value(n) }   // "Chrome"
//
// Invariants: the numbers are part of the format of rows, so that values are added at the end and
// none is ever renumbered; Value(Number(s)) is s.
//
// Package window alone calls it, for each value of each row: a look-up that fails costs a few
// nanoseconds. Any number of goroutines may.
//
// It does not encode anything: the codec of rows is in package window.
package known
