package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"millrace/cmd/internal/cli"
)

func main() {
	cli.Main(func(ctx context.Context) int { return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr) })
}

const program = "millrace-verify"

// commandLine is every command, flag and default.
type commandLine struct {
	Chaos   chaosCommand   `cmd:"" help:"Kill, stop and cut off the engine while it counts; every window is recounted."`
	Sim     simCommand     `cmd:"" help:"Play random schedules of faults against the core and its state in memory; every window is recounted."`
	Attack  attackCommand  `cmd:"" help:"Flood one site with random paths; the other sites' windows have to stay the same bytes."`
	Soak    soakCommand    `cmd:"" help:"Run a server for hours on a fast clock; memory, files and goroutines have to stay flat, and every event to be counted."`
	Roles   rolesCommand   `cmd:"" help:"Measure what an event takes of each role and each store."`
	Rolling rollingCommand `cmd:"" help:"Replace a fleet of one commit by another, process by process under load; every event has to be counted once."`
	Queries queriesCommand `cmd:"" help:"Ask random queries of 13 months of traffic; each answer is compared with SQL over the raw files of the archive."`
	Pace    paceCommand    `cmd:"" help:"Measure queries of an archive of hits beside DuckDB on the same files."`
	Worker  workerCommand  `cmd:"" hidden:"" help:"The process that a scenario of chaos kills."`
	Audit   auditCommand   `cmd:"" hidden:"" help:"The process that audits what a scenario of chaos has left."`
}

const description = `Proofs of Millrace's counting: each compares what the engine wrote with a count that shares no code with it.`

// process is what a command may use of the process it runs in.
type process struct {
	ctx            context.Context
	stdin          io.Reader
	stdout, stderr io.Writer
}

// run is the whole program: it reads the command line, runs the command until it ends or ctx is
// done, and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var flags commandLine
	exited := -1
	parser, err := kong.New(&flags, cli.Style(program, description, stdout, stderr, func(code int) { exited = code })...)
	if err != nil {
		fmt.Fprintf(stderr, "%s: BUG: command line: %v\n", program, err)
		return cli.ExitError
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\nRun \"%s%s --help\" for the flags and their meaning.\n", program, err, program, cli.CommandOf(err))
		return cli.ExitUsage
	}
	p := &process{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr}
	return cli.Report(program, parsed.Selected(), parsed.Run(p), stderr)
}
