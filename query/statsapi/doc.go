// Package statsapi serves queries over HTTP, in the form of the Plausible Stats API v2.
//
// In go requests of HTTP and a query.Executor; out come rows as JSON or CSV:
//
//	POST /api/v2/query                             the rows of a query
//	GET  /api/v1/stats/realtime/visitors?site_id=  visitors of the last 5 minutes
//	GET  /api/v1/sites                             the sites that a key opens
//	GET  /api/v1/stats/aggregate, …/timeseries and …/breakdown
//	                                               the same queries in the form of the Stats API v1 (v1*.go)
//	GET  /api/openapi.json                         the API described
//
// A body becomes a query.Request (parse), the Executor answers it, and the answer gets the form of
// the API ([Answer]):
//
//	api, err := statsapi.New(statsapi.Options{Executor: x, Keys: keys})
//	…
//	if statsapi.Handles(path) {
//		api.Handler(ctx)
//	}
//
// # Invariants
//
//   - Every refusal is JSON, {"error": …}, and names the key and the value that caused it, where
//     one did. Unknown keys are errors, and of two errors the first in the order of the steps of
//     parse is reported.
//   - A request without a key, where keys are needed, is refused before anything but the length of
//     its body is looked at.
//   - Internal errors are logged; their text is not sent.
//   - A text that a spreadsheet would run as a formula is text in CSV.
//   - The answer's "query" is the query as it was resolved, but for its filters, which are as they
//     were written, with the filters of segments in the segments' place.
//
// Statuses: 400 the query can't be answered; 401 no key, or not of the site; 404, 405; 413 a body
// above [MaxBody]; 429 too many queries at once and 503 the store can't be read or the query took
// too long, both with Retry-After; 500 an internal error.
//
// Units: sizes in bytes; instants are ISO 8601 in the site's time zone.
//
// A Server may be used by any number of goroutines. cmd routes what [Handles] reports to
// [Server.Handler], and decides who may query at all where there are no keys.
//
// It does not read rollups, know families, or decide what a query means: package query does.
package statsapi
