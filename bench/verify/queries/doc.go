// Package queries proves that any query has the right answer, from rollups as from the archive's hits.
//
// In go a size and a seed. It makes 13 months of traffic of 50 sites, one of them a giant, whose log is archived with hits as the role
// archive does and counted into rollups as the command replay does; serves the query API on both; and has a recount ask it random
// queries:
//
//	err := queries.Run(ctx, queries.Options{Events: 2_000_000, Queries: 1000, Python: "python3", Archive: …, Count: …, Out: os.Stdout, Log: log})
//	if errors.Is(err, queries.ErrWrong) { … } // Out has which
//
// # The recount
//
// recount is SQL (DuckDB) over the raw files of the archive, and Python that makes SQL of queries. It shares no code with Millrace. What
// it has beside the raw files are tables of the traffic's maker (catalog.go): which browser a user agent is, which source and channel a
// referrer, which page a path.
//
//	events.sql   duplicates, bots, and the dimensions of each event
//	visits.sql   which visit an event is of, and how the visit's dimensions changed while events came late
//	language.py  a query as SQL
//	draw.py      random queries that have an answer
//	queries.py   asks and compares
//
// Beside it files.py compares what three libraries find in the files themselves.
//
// # What the traffic has
//
// Visits across midnights of UTC, where ids change, and of the site, and days on which clocks change; pauses of 30 minutes to the
// millisecond; visits of more than 12 hours; events that come up to 45 minutes late, or too late; copies by other collectors; pings,
// bots, trusted servers, visitors that nobody knows; properties, revenue in two currencies, goals; visits that have not ended.
//
// # Invariants
//
//   - The same options make the same traffic and the same queries.
//   - What an answer has depends on how far the watermark has come where events are 45 to 75 minutes late, and on the order of the log
//     where events come late at midnight, around visits of 12 hours, and around pings. The traffic has none of these.
//   - A replay counts events that came too late and hits do not, so the recount finds visits twice: an answer is compared with the one
//     that its source has.
//   - All numbers have to be equal, and rows in their order; but visitors that a sketch has counted (meta.visitors_error) may differ by
//     three standard errors.
//
// Units: event.Time. DuckDB takes up to 3 GB of memory.
//
// The command millrace-verify queries calls it. It does not measure speed, nor ask the API's older version.
package queries
