// Package supervise keeps long-running tasks running: a task that fails is started again after a
// pause that grows, a task that is stopped is waited for.
//
// In goes a function Run(ctx) error; out come its restarts, one log line for each failure, and
// what a readiness check needs to know.
//
// Invariants:
//   - A task's function never runs twice at a time.
//   - After Stop has returned the function has returned.
//   - Pauses are 0.5 s to 15 s, doubled at each failure, and start anew once a run has lasted a
//     minute.
//
// Stop may be called from any goroutine, and more than once. The package does not judge errors:
// what must not be tried again has to be found out before Start.
package supervise
