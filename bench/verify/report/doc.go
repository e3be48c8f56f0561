// Package report has the form in which a play of harm says what came of it: figures for people, and a
// line for each promise that was not kept.
package report
