// Package progress draws one line on a terminal that says how far a command is: a bar, rows a second, time left.
//
// In goes what is done, of how much, and how many rows that was; out goes the line, redrawn a few times a second and
// wiped at the end. To anything that is not a terminal (a file, a pipe, a test) nothing is written at all.
//
// Units: done and total are of the caller's choice (bytes, hours); rows are counted, and shown per second of wall clock.
//
// A Bar belongs to one goroutine. It is for commands that people watch; nothing depends on it, and it reports no errors.
package progress
