// Package query plans and executes queries of rollups, and of single events where no rollup holds
// the answer.
//
// In go a [Request], which is a query as a client wrote it, a [Reader] of rollups, and [Hits], an
// archive of events, if there is one; out comes an [Answer]: the rows of a page, and what is to be
// known about them. A query takes this way, and is never changed on it: each stage makes a value of
// its own.
//
//	Request ── resolve ─> Query ── plan ─> execution ── count ─> groups ── rows ─> Answer
//	 as written            exact instants,   families,    Reader.Scan,   metrics,
//	                       units, order      tiers,       sketches;      order, page
//	                                         or a         Snapshot.Hits,
//	                                         snapshot     Visits
//
// A program that has a Reader answers so:
//
//	x, err := query.New(query.Options{Reader: store, TimeZone: zoneOf})
//	…
//	visitors, err := query.ParseMetric("visitors")
//	page, err := query.ParseDimension("event:page")
//	week, _ := query.RelativeRange("7d")
//	a, err := x.Execute(ctx, &query.Request{
//		Site: "example.com", Metrics: []query.Metric{visitors}, Dimensions: []*query.Dimension{page}, Range: week, Limit: 100,
//	})
//
// # Invariants
//
//   - An answer is exact or refused: what neither a family of rollups nor hits hold is an [Error],
//     never an approximation. There are two exceptions, which the answer names: sketches
//     (Meta.VisitorsError), and values that came after the cardinality budget of a window was used
//     up, which are counted under "(other)" (Meta.Other is how much that is of all; where it is 0,
//     rows and filters by value are exact).
//   - A [Query] is made once, by resolving a Request, and not changed afterwards; nor are Filter
//     and Dimension.
//   - Visitors of a row are the estimate of the union of the sketches of its windows. Estimates are
//     never added.
//   - Hours and minutes give the same numbers, except for what is under "(other)": each window has
//     a budget of its own.
//   - An Error names the key of the API and the value that caused it, where one did.
//   - Rows are in a total order (that of the query, then all dimensions), so pages neither overlap
//     nor miss a row.
//   - The package reads no clock but Options.Now.
//
// # Time
//
// A date is a calendar day in the site's time zone, a bucket a piece of its calendar: time:day,
// time:week (from Monday or Request.WeekStart), time:month, time:quarter, time:year, and time:minute and time:hour by the wall clock. Buckets are
// known by their labels: the hour that a change from summer time repeats is one bucket of two
// hours. A range of instants is widened to whole minutes; Query.Range returns what was taken.
//
// # What is read
//
// Windows of hours are read where a whole hour (of UTC) lies in the range and in one bucket, and
// has fired in every partition (Progress.Hours); minutes at the edges, in the hours under way,
// around the ends of buckets off the hour, and for time:minute. Where a whole day (of UTC) lies in the
// range and in one bucket the Reader may give points of the day in place of those of its hours, or of
// its windows of visits (window.Selection.Days). What is counted of events and of visits are two
// scans, whose rows meet.
//
// Of a site that keeps its numbers for a time nothing is read from before (Options.KeptFrom), whatever the
// Reader still has, and Meta.KeptFrom says so.
//
// # Hits
//
// A query that a family of rollups holds is answered by rollups, or by hits where these are cheaper (choose.go) and the answer is as
// good: of one generation, whole, and complete; never with goals or of bots. Any other is counted by event and
// visit, where there is an archive: any number of dimensions, filters of any of them in any nesting,
// several custom properties, has_done and has_not_done, and visits in ranges that cut a quarter of an
// hour. Meta.Hits says so. All parts of an answer are of one [hits.Snapshot], and where both could
// answer the numbers are the same, but for what is under "(other)".
//
// Filters are evaluated once for each value of a block's dictionary, and groups are found by codes.
// Without a dimension or filter of bots the events are those of people, as in rollups. A value that
// is missing is window.None.
//
// A query of goals is one of pairs: of an event and a goal that it reaches. A condition on goals
// neither holds nor fails for an event that reaches none, so such an event passes if another part of
// an "or" lets it pass. Goals are those that Options.Reached finds now, while rollups have those of
// the time.
//
// Metrics of visits with a filter of single events (event:name, event:goal, event:props) are of
// visits that have an event which passes the whole filter; what is of the visit is then its own, and
// event:page and event:hostname are those it began with. has_done is true of an event or a visit if an
// event of the same visit passes, the event itself or another one, in the range or not; within it
// all dimensions are those of that event. An event of no visit has done nothing.
//
// scroll_depth and time_on_page are of pings, which are no events: of each visit and row the greatest
// depth and the sum of the time engaged, of which the row shows the mean over the visits that have
// told it. The exit page of an event is that of its visit in the end.
//
// Visitors are exact up to 3 million in all rows of an answer together (Options.ExactVisitors; who is in files that several
// goroutines read counts for each), and sketches beyond. Of the rows only those of the page are made: all are put in
// order by numbers and codes.
//
// What visits have done, and their exit pages, is kept of 3 million visits at once (Options.VisitsAtOnce): a range of more is
// read in parts, down to the length of a visit, and refused if even that has more. So a query takes some 300 MB at most beside
// its rows, of which there are MaxGroups for each of up to eight goroutines, 150 bytes each. The
// answer is complete up to the archive's watermark, which is a minute or so behind that of rollups.
//
// # Visits
//
// A visit belongs to the quarter of an hour in which it began, and so to the range and bucket that
// hold the quarter. A range that cuts one is answered by hits, or refused; a relative range is
// widened at its beginning ("24h"), and the end may lie in the present quarter, behind which
// nothing is. By visit:exit_page rollups count only visits. A visit has no page of its own: visits,
// bounce_rate, visit_duration and views_per_visit by event:page are of the visits that began with
// the page. By other dimensions of events only visits are counted, and by event:hostname alone:
// where the visit began. Visitors, events and revenue by a visit's dimension are those of its
// events, in their own minutes.
//
// exit_rate is of visits by exit page and of the pageviews of that page, which are counted apart, by the
// query's other dimensions and filters.
//
// # Goals and revenue
//
// An event may reach several goals and counts for each of them, so sums over several goals are
// refused; visitors are united. conversion_rate is visitors (who reached the goal) of all visitors
// that pass the filters but those of goals, group_conversion_rate of those of the row's other
// dimensions. Revenue is in units of the site's currency, with up to four decimal places;
// average_revenue is of the events that have an amount, which may be 0.
//
// What has no value in a dimension is a row of window.None, and passes the filters that this value
// passes. Its points are in families of their own (window.Family.LackingIn), which are read beside
// those of the dimension, in order of start, where a filter lets them pass. event:goal has no such
// row: an event may reach no goal.
//
// # Limits
//
// A query that makes more than Options.MaxGroups rows is refused, one that takes longer than
// Options.Timeout is given up, and more than Options.MaxConcurrent at once wait up to a second,
// then are turned away. While the store can't be read each query is [Unavailable]. The sketches of
// a bucket are reduced to a number once time has passed it.
//
// # Units
//
// event.Time is ms UTC; percentages are 0 to 100 with one decimal place, bounce_rate with none, views_per_visit has
// two; visit_duration is in seconds. Halves are rounded to the even digit.
//
// # Who may call it
//
// An Executor may be used by any number of goroutines. Package statsapi calls it for HTTP. The
// readers are elsewhere (emit/local, emit/influx); package readertest holds what each of them must
// satisfy.
//
// It does not know JSON or HTTP (query/statsapi does), who may query a site, names of regions and
// cities but those that Options.Places knows (else their codes are shown), how an archive is read
// (emit/lake/hitread), or what only the raw events hold.
package query
