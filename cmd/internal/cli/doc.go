// Package cli holds what the programs below cmd have in common on a command line: how a signal
// ends them, how a mistake in the flags is told from a failure, and the style of flags and help.
//
// In go a struct of flags (package kong reads it) and the streams of the process; out come a
// context, one line of error and an exit code.
//
//	func main() {
//		cli.Main(func(ctx context.Context) int { return run(ctx, os.Args[1:], os.Stdout, os.Stderr) })
//	}
//
//	parser, err := kong.New(&flags, cli.Style("millrace-verify", text, stdout, stderr, exit)...)
//	…
//	return cli.Report("millrace-verify", parsed.Selected(), parsed.Run(), stderr)
//
// Invariants:
//   - The first SIGINT or SIGTERM ends the context with a StopSignal as its cause; the second one
//     ends the process.
//   - A UsageError is printed with the command to read about it, and is exit code 2; any other
//     error is code 1, and both are one paragraph that begins with the program's name.
//
// Units: durations are written 5ms, 2s, 10m, 1h, 7d or 1d12h, and printed so.
//
// The commands call it. It knows no flag, no role and no store.
package cli
