// Package pace measures how fast queries are answered from an archive of hits, beside DuckDB on the same files.
//
// In go a size and a seed. It makes 30 days of traffic of 50 sites, one of which has most of it, and of that the files of hits and visits that
// an archive consists of once all has been merged; draws queries that no rollup holds; and asks each by turns of the query API and of
// DuckDB, as SQL over the same Parquet files:
//
//	err := pace.Run(ctx, pace.Options{Events: 1_000_000, Queries: 200, Python: "venv/bin/python", Out: os.Stdout})
//	if errors.Is(err, pace.ErrDiffers) { … } // Out has which
//
// With Options.Count the raw rows are counted into rollups too, and the 40 questions of a dashboard are asked: totals, curves and lists by one
// dimension. DuckDB answers these from one Parquet file sorted by site and time that it has made itself, with approximate visitors; the first
// answer is compared with exact ones, of which estimated visitors may differ by four standard errors.
//
// Out has, of each query, the median times, and in the end the ratios: of the giant, and of sites with less than a twentieth of the rows.
//
// # What is the same, and what is not
//
// Both use as many threads, read from files that the system has in memory, and know the footers of files from earlier queries. Each query
// is asked once before it is measured. DuckDB is given the names of the files that a query needs, as the archive's list has them, so
// that it need not look for them. Its time is that of SQL text to rows in Python, ours that of JSON text to rows; neither is sent
// anywhere. Visitors are exact on both sides. Rows have to be equal.
//
// # Invariants
//
//   - The same options make the same files and the same queries.
//   - All visits have ended: what it takes to fold the newest ones is not measured.
//
// Units: times are printed in milliseconds; "cpu" is the time of processors, of all threads, which other programs on the machine disturb less.
//
// The command millrace-verify pace calls it. It proves nothing about counting: package queries does.
package pace
