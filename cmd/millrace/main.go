package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	_ "time/tzdata" // time zones of sites, also on machines without the data

	"github.com/alecthomas/kong"

	"millrace/cmd/internal/cli"
	"millrace/cmd/internal/offline"
)

func main() {
	cli.Main(func(ctx context.Context) int { return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr) })
}

// Exit codes.
const (
	exitOK    = cli.ExitOK
	exitError = cli.ExitError // something failed, or replay --verify found a difference
	exitUsage = cli.ExitUsage // wrong flags, environment or config file
	exitNone  = 3             // replay --verify compared nothing
)

// commandLine is every command, flag and default. Each flag is also read from the environment
// (MILLRACE_ and its name in capitals, - as _) and from the config file, under its name.
type commandLine struct {
	Config configFile `placeholder:"FILE" help:"YAML file of flags, named without the dashes. A flag wins over its environment variable (--log-level: MILLRACE_LOG_LEVEL), and that over the file."`
	Log    logFlags   `embed:"" prefix:"log-" group:"Log"`

	ShowVersion versionFlag `name:"version" short:"v" env:"-" help:"Print the version."`

	Serve   serveCommand   `cmd:"" help:"Take beacons, count them, archive them and answer questions."`
	Check   checkCommand   `cmd:"" help:"Try what serve would use: folder, certificate, brokers, topics, bucket, database, rights."`
	Replay  replayCommand  `cmd:"" help:"Compute rollups again from the archived events."`
	Recount recountCommand `cmd:"" help:"Count archived days again by today's rules: rollups, hits and visits."`
	Import  importCommand  `cmd:"" help:"Read access logs or events from files into the archive and count them."`
	Forget  forgetCommand  `cmd:"" help:"Erase what the archive knows of a visitor."`
	Sites   sitesCommand   `cmd:"" help:"Check a file of sites."`
	Dead    deadCommand    `cmd:"" help:"List, show and retry records that could not be read."`
	Size    sizeCommand    `cmd:"" help:"Compute the machines and disks that a number of events a day takes."`
	Bench   benchCommand   `cmd:"" help:"Measure the engine on this machine."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

const description = `Web analytics: a stream engine that counts each event exactly once.

Start with: millrace serve --demo`

// process is what a command may use of the process it runs in.
type process struct {
	ctx            context.Context
	stdin          io.Reader
	stdout, stderr io.Writer
}

// run is the whole program: it reads the command line, runs the command until it ends or ctx is
// done, and returns the exit code. It leaves no goroutine behind.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var flags commandLine
	exited := -1
	parser, err := newParser(&flags, stdout, stderr, func(code int) { exited = code })
	if err != nil {
		fmt.Fprintf(stderr, "millrace: BUG: command line: %v\n", err)
		return exitError
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(joinNegative(parser.Model.Node, args))
	if exited >= 0 {
		return exited
	}
	if err != nil {
		fmt.Fprintf(stderr, "millrace: %v\nRun \"millrace%s --help\" for the flags and their meaning.\n", explainParse(parser.Model.Node, err), cli.CommandOf(err))
		return exitUsage
	}
	if err := checkEnvironment(parser.Model.Node, parsed.Selected(), os.Environ()); err != nil {
		fmt.Fprintf(stderr, "millrace: %v\nRun \"millrace%s --help\" for the flags; each has a variable.\n", err, cli.NameOf(parsed.Selected()))
		return exitUsage
	}
	if err := readSecretFiles(parsed.Flags(), flags.Log.open(stderr)); err != nil {
		return report(err, parsed, stderr)
	}
	p := &process{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr}
	return report(parsed.Run(p, &flags.Log), parsed, stderr)
}

// report prints the error of a command and returns its exit code.
func report(err error, parsed *kong.Context, stderr io.Writer) int {
	code := cli.Report("millrace", parsed.Selected(), err, stderr)
	if errors.Is(err, offline.ErrNothing) {
		return exitNone
	}
	return code
}

func usagef(format string, args ...any) error { return cli.Usagef(format, args...) }
