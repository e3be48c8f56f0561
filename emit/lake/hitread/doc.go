// Package hitread reads files of hits and of visits by column, for queries that no rollup answers.
//
// In go a store and a [Lister], which knows which files count; out come snapshots ([millrace/engine/hits.Snapshot]), which are
// read in blocks of rows. Package query declares what it needs of it, and does the counting:
//
//	archive, err := hitread.New(hitread.Options{Store: store, Lister: published})
//	x, err := query.New(query.Options{Reader: rollups, Hits: archive, …})
//
// # What is read
//
// Of the files of a snapshot those whose sites and times may hold rows of the selection; of a file the row groups, and of those the
// pages, whose statistics say so; of a page the columns that are asked for, when they are asked for. The site is the first column
// that files are sorted by, so its rows are one run in each row group. A column is fetched in one request, or two where its
// dictionary lies far from its pages, and each page is checked (package colfile). Footers and indexes are remembered: an object never changes. Of a store in the network blocks of 512 KB are
// read, and kept while there is room; files are opened eight at a time.
//
// A block is the run of a site's rows in one row group. Values of texts stay codes of the file's dictionary.
//
// # Visits
//
// A visit of a file of visits is as it ended. One that has no row there has not ended, or its row is not written yet: it is the
// fold of its hits (hits.Fold). Visits of imported events all have one. Hits have the visits that they are of by all joins of the snapshot.
//
// # Invariants
//
//   - Blocks hold all rows of a selection once, and none of another site.
//   - Rows that are erased are of no class, and no visits of a selection; a visit that began before an erasure is no fold either.
//   - Memory is bounded by the columns of a row group for each worker, and by the visits that are folded.
//   - The end of the context ends a scan before its next read.
//
// # Who may call it
//
// An Archive and its snapshots may be used by any number of goroutines. cmd plugs it into package query.
//
// It filters no rows and counts nothing, resolves no goals, writes nothing, and does not know how a list of files comes about.
package hitread
