// Package importer reads a file of past traffic: an access log in the combined format, or NDJSON of our own event, plain
// or gzipped, from disk or from a stream.
//
// In go a path and a format; out come event.Event values in the order of the lines, the count of everything that is not
// one, and a digest of the content under which the archive keeps the file, so that the same file is the same rows.
//
// Invariants:
//   - Nothing is handed out before the whole file was read once: a file that is cut off (gzip) or can't be read gives an
//     error and no event.
//   - The same content, site and format give the same digest and, under the same secret and salts, the same events. What is appended
//     to a file after Open is not read.
//   - A line has the same id in every file: of its content and its rank among the equal lines of the file. Ids that events bring stay.
//   - Every line is exactly one of: an event, skipped for one reason, malformed.
//   - An address leaves the package only as country and hash.
//
// Units: lines count from 1, sizes are bytes of content, unpacked. Memory is bounded: see repeats.
//
// A File and its Reader belong to one goroutine. cmd calls it from millrace import. It does not tell bots, write the
// archive or count anything but lines.
package importer
