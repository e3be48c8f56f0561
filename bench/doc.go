// Package bench measures Millrace: workloads that are pure functions of their seed, and harnesses that run the real
// parts on them and check the result before they report a figure.
//
// In go sizes and a seed; out come Reports. Every figure is of work whose outcome was compared with a recount that
// shares no code with the engine; a run that counts wrong reports an error and no figure. Processor time is the
// process's own user and system time, of everything in it, the embedded broker included.
//
// Units: events, seconds, bytes, as the fields say. Results are kept under results/ as dated text, appended and never
// replaced.
//
// It does not compare machines: an absolute figure means nothing without one measured in the same run.
package bench
