// Package wire reads the fields of the engine's binary records: chunks of windows, deltas, journals.
//
// In go bytes that may be anything; out come fields, in order, and at the end whether all of them were there.
//
// Invariants:
//   - Reading is total: no input makes a method panic, and none allocates.
//   - After the first field that is malformed every method returns zeros, and Err says what was wrong first.
//
// What is read are views of the input. Numbers are varints of encoding/binary unless the name says a width, which is little
// endian then.
//
// A leaf for the packages of engine. It writes nothing: appending a field is a line of encoding/binary.
//
// It also has the error for formats of a later release, ErrNewer, which every stored format uses.
package wire
