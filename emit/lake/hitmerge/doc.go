// Package hitmerge makes few large files of hits and of visits out of many small ones, and decides which.
//
// It is pure: in go open files (package hitfile) and what joined, out comes a file; in go names and sizes of files, out comes which of
// them to merge next.
//
//	plan := hitmerge.Plan(append(state.Files(commits.Hits), state.Files(commits.Visits)...), state.Next, state.Watermark, hitmerge.Policy{})
//	…                                           // open plan.Inputs; joins of their days, out of files of visits
//	out, err := hitmerge.Merge(ctx, hitmerge.Options{Table: hitfile.Hits, Joins: joins}, files)
//	…                                           // put out.Body, commit: add it, remove the inputs
//
// # Merging
//
// Rows come in the order of the table: site, visitor, time, place in the log. Hits get the name that their visit has by the joins;
// rows of joins stay, because hits in other files may still have the older names.
//
// # Invariants
//
//   - The file is a function of the rows, the joins and the level of compression: the bytes that a buffer of all rows writes, in
//     whatever order the files are given, and whichever rows were in which of them.
//   - No row is lost: as many come out as the footers say go in, less those that are erased (Options.Erased). None is there twice: two with the same place in the log end the merge
//     (ErrDouble), as does a file that is damaged or not sorted.
//   - Plan is a function of its arguments. What it plans makes files fewer or lifts their level, so that planning, merging and
//     planning again ends.
//
// # How often a row is written
//
// Once with its segment, once for the hour and once for the day: 3.0 times in all, in weeks that were simulated (TestPlan) of a steady
// site and of a giant with 20 million rows a day; 3.4 times where each minute brings rows of older days. A day and partition ends with at
// most 4 files, or, where it has more rows than 4 files take, with one more than are full.
//
// # Memory
//
// Of each input a row group as it is in the file (some 1 MB) and a page of each column (8,192 rows, up to 1.5 MB); of the output a row
// group (65,536 rows, 12 MB) and the file. Policy bounds inputs and rows.
//
// # Who may call it
//
// Anybody, from any goroutine; Pace of Options is called in that of Merge.
//
// # What it does not do
//
// It knows no store, commits nothing and deletes nothing: package lake does.
package hitmerge
