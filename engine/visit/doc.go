// Package visit finds the visits in a partition's events: which events belong together, and what each visit adds to
// the windows of visits.
//
// In go human events in log order; out come, for each record, chunks of window.VisitRow and a journal of what changed.
package visit
