// Command millrace is the whole of Millrace in one binary: flags, wiring, and the order in which things start and stop.
//
// In go a command line, MILLRACE_* variables and a YAML file, which say the same things under the same names; out come
// running roles (serve), rollups computed again (replay), an imported file (import), measurements (bench) and an exit
// code: 0 for success, 1 for a failure or a difference that replay --verify found, 2 for a mistake in the flags.
//
// Invariants:
//   - Nothing but this package reads flags, environment or config files, and it alone knows which store is behind an
//     interface: the packages of the roles do not know one another.
//   - A flag wins over the environment, that over the file, that over the default. What is wrong with any of them is said
//     before anything is opened.
//   - One process uses a data folder at a time.
//   - The order of starting and stopping is node's, and is argued there. SIGTERM and SIGINT stop; a second one
//     ends the process at once. Every goroutine is waited for.
//   - Errors are printed once, as "millrace: …" on the standard error stream, with what to do about them.
//
// Units: sizes are written 64MiB, times 5s.
//
// It does not hold any logic of events, windows or storage.
package main
