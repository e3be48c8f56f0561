// Command millrace is the whole of Millrace in one binary: what is here is flags, help and printing.
//
// In go a command line, MILLRACE_* variables and a YAML file, which say the same things under the
// same names; out come running roles (serve), rollups computed again (replay), an imported file
// (import), a visitor erased (forget), what serve would use, tried (check), a checked file of sites (sites), dead letters
// (dead), measurements (bench) and an exit code: 0 for success, 1 for a failure or a difference that
// replay --verify found, 2 for a mistake in the flags, 3 for a replay --verify that had nothing to
// compare.
//
// A command is a struct of flags with a method Run. Run turns the flags into the Options of the
// package that does the work, and prints what that returns:
//
//	serve           cmd/internal/server
//	check           cmd/internal/check, with the probes of server
//	replay, recount, import, forget
//	                cmd/internal/offline
//	sites           internal/site
//	dead            cmd/internal/deadletters
//	bench           bench
//
// A new flag of serve is a field in serve.go or flags.go and a field of server.Options or of one of
// its groups, which serveCommand.options fills and server/validate.go checks; one of the collector
// goes on through server/collector.go to ingest.Options. --new-sites shows the whole way. Its
// variable, its key in the file and its place in the help follow from the field.
//
// Invariants:
//   - Nothing but this package reads flags, environment or config files, and no struct of flags is
//     known outside it.
//   - A flag wins over the environment, that over the file, that over the default. What is wrong
//     with any of them is an error before anything is opened.
//   - A MILLRACE_ variable that no flag of any command reads is an error, as an unknown key of the
//     file is; those of the tests (MILLRACE_TEST_*) and those that Kubernetes sets for a service of
//     that name are passed over.
//   - SIGTERM, SIGINT and SIGHUP stop in order; a second one ends the process at once. Every goroutine is
//     waited for.
//   - Errors are printed once, as "millrace: …" on the standard error stream, with what to do about
//     them.
//
// Units: sizes are written 64MiB, times 5s.
//
// It has no logic of events, windows, storage or serving.
package main
