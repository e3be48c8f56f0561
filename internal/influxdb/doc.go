// Package influxdb is an HTTP client of InfluxDB that speaks what 1.x, 2.x and 3.x have in common: line protocol
// to /write (or /api/v2/write), InfluxQL to /query.
//
// In go a Config, line protocol as bytes and InfluxQL as text; out come rows, streamed chunk by chunk, and errors
// that keep the HTTP status, the server's words and its Retry-After ([StatusError]).
//
// Invariants:
//   - Passwords and tokens appear in no error and in no String.
//   - Text of others enters a query only through [Quote], a name only through [QuoteName].
//   - Memory is bounded by one chunk of an answer ([ChunkRows] rows).
//   - One call is one request: nothing is repeated here.
//
// Units: times in answers are seconds since the epoch (epoch=s), as is the precision of writes.
//
// emit/influx writes and reads with it. A Client may be used by any number of goroutines.
//
// It does not know what is written or read, sorts no failures, and does not retry.
package influxdb
