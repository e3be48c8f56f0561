// Package query answers questions about rollups over HTTP, in the shape of the Plausible Stats API v2.
//
// In go the JSON of POST /api/v2/query and a Reader of rollups; out come rows as JSON or CSV. Also
// GET /api/v1/stats/realtime/visitors (visitors of the last 5 minutes) and GET /api/openapi.json (the API
// described). A question takes this way:
//
//	Parse, check -> planFor (which family holds it) -> segments (hours or minutes) -> Reader.Scan
//	      -> aggregation (groups, sketches) -> rows, ordered, paged
//
// Invariants:
//   - An answer is exact or refused: what no family of rollups holds is a 400 that says so, never an approximation.
//     There are two exceptions, of which the answer tells: sketches (meta.visitors_error), and values that came after the
//     cardinality budget of a window was used up, which are counted under "(other)" (meta.other says how much that is of
//     all; where it is 0, rows and filters by value are exact).
//   - Visitors of a row are the estimate of the union of the sketches of its windows. Estimates are never added.
//   - Hours and minutes give the same numbers, except for what is under "(other)": each window has a budget of its own.
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
// # What is read
//
// Windows of hours are read where a whole hour (of UTC) lies in the range and in one bucket, and has fired in every
// partition (Progress.Hours); minutes at the edges, in the hours under way, around the ends of buckets off the hour,
// and for time:minute. Questions of events and of visits are two scans, whose rows meet.
//
// # Visits
//
// A visit belongs to the quarter of an hour in which it began, and so to the range and bucket that hold the quarter. A
// range that cuts one is refused with metrics of visits; a relative range is widened at its beginning ("24h"), and the
// end may lie in the present quarter, behind which nothing is. By visit:exit_page only visits are counted. A visit has no
// page of its own: visits, bounce_rate, visit_duration and views_per_visit by event:page are of the visits that began
// with the page. With other dimensions of events only visits can be asked, by event:hostname, where the visit began.
// Visitors, events and revenue by a visit's dimension are those of its events, in their own minutes.
//
// # Goals and revenue
//
// An event may reach several goals and counts for each of them, so sums over several goals are refused; visitors are
// united. conversion_rate is visitors (who reached the goal) of all visitors that pass the filters but those of goals,
// group_conversion_rate of those of the row's other dimensions. Revenue is in units of the site's currency, with up to four
// decimal places; average_revenue is per event that event:goal or event:name chooses, with an amount or without.
//
// An event without a value in a dimension is not counted by it, nor does it pass a filter of it, not even "is_not".
//
// # Limits
//
// A question that makes more than Options.MaxGroups rows is refused (400), one that takes longer than
// Options.Timeout is given up (503), and more than Options.MaxConcurrent at once wait up to a second, then are
// turned away (429 with Retry-After). While the store can't be read the answer is 503 with Retry-After. The sketches of a bucket are reduced to a number once time has passed it.
//
// Units: event.Time is ms UTC; percentages are 0 to 100 with one decimal place, views_per_visit has two; visit_duration is
// in seconds, rounded.
//
// A Server may be used by any number of goroutines. cmd routes what Handles says to Handler. The readers are
// elsewhere (emit/local, query/influx); package readertest holds what each of them must satisfy.
//
// It does not do: scroll depth, time on page, what else a visitor has done (has_done), names of regions and cities but those that
// Options.Places knows (else their codes are shown), or questions that need the raw events.
package query
