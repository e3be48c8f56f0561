// Package query answers questions about rollups over HTTP, in the shape of the Plausible Stats API v2.
//
// In go the JSON of POST /api/v2/query and a Reader of rollups; out come rows as JSON or CSV. Also
// GET /api/v1/stats/realtime/visitors (visitors of the last 5 minutes) and GET /api/openapi.json (the API
// described). A question takes this way:
//
//	Parse -> planFor (which family holds it) -> Reader.Scan -> aggregation (groups, sketches) -> rows, ordered, paged
//
// Invariants:
//   - An answer is exact or refused: what no family of rollups holds is a 400 that says so, never an approximation.
//     Sketches are the one exception, and meta.visitors_error says by how much.
//   - Visitors of a row are the estimate of the union of the sketches of its minutes. Estimates are never added.
//   - Every error names the key and the value that caused it. Unknown keys are errors.
//   - Rows are in a total order (order_by, then all dimensions), so pages neither overlap nor miss a row.
//   - The package reads no clock but Options.Now.
//
// # Time
//
// A date is a calendar day in the site's time zone, a bucket a piece of its calendar: time:day, time:week (from
// Monday), time:month, and time:minute and time:hour by the wall clock. Buckets are known by their labels: the hour that
// a change from summer time repeats is one bucket of two hours. A range of instants is widened to whole minutes; the
// answer's query.date_range says what was taken.
//
// # Limits
//
// A question that makes more than Options.MaxGroups rows is refused (400), one that takes longer than
// Options.Timeout is given up (503), and more than Options.MaxConcurrent at once wait up to a second, then are
// turned away (429 with Retry-After). While the store can't be read the answer is 503 with Retry-After. The sketches of a bucket are reduced to a number once time has passed it.
//
// Units: event.Time is ms UTC; percentages are 0 to 100 with one decimal place.
//
// A Server may be used by any number of goroutines. cmd routes what Handles says to Handler. The readers are
// elsewhere (emit/local, query/influx); package readertest holds what each of them must satisfy.
//
// It does not do: visits, bounces, revenue, goals, patterns in filters, or questions that need the raw
// events.
package query
