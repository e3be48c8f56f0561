package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // time zones of sites, also on machines without the data

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default action is back, so that a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Exit codes.
const (
	exitOK    = 0
	exitError = 1 // something failed, or replay --verify found a difference
	exitUsage = 2 // wrong flags, environment or config file
)

// commandLine is every command, flag and default. Each flag is also read from the environment (MILLRACE_ and its name
// in capitals, - as _) and from the config file, under its name.
type commandLine struct {
	Config configFile `placeholder:"FILE" help:"YAML file of flags, named without the dashes. A flag wins over its environment variable (--log-level: MILLRACE_LOG_LEVEL), and that over the file."`
	Log    logFlags   `embed:"" prefix:"log-" group:"Log"`

	Serve   serveCommand   `cmd:"" help:"Take beacons, count them, archive them and answer questions."`
	Replay  replayCommand  `cmd:"" help:"Compute rollups again from the archived events."`
	Import  importCommand  `cmd:"" help:"Read access logs or events from files into the archive and count them."`
	Dead    deadCommand    `cmd:"" help:"List, show and retry records that could not be read."`
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

// run is the whole program: it reads the command line, runs the command until it ends or ctx is done, and returns the
// exit code. It leaves no goroutine behind.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var cli commandLine
	exited := -1
	parser, err := kong.New(&cli,
		kong.Name("millrace"),
		kong.Description(description),
		kong.DefaultEnvars("MILLRACE"),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }), // --help
		// Which variable belongs to a flag is said once, not at each flag.
		kong.ValueFormatter(func(v *kong.Value) string { return v.Help }),
		kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true, WrapUpperBound: 110}),
	)
	if err != nil {
		fmt.Fprintf(stderr, "millrace: BUG: command line: %v\n", err)
		return exitError
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		fmt.Fprintf(stderr, "millrace: %v\nRun \"millrace%s --help\" for the flags and their meaning.\n", err, commandOf(err))
		return exitUsage
	}
	p := &process{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr}
	err = parsed.Run(p, &cli.Log)
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "millrace: %v\nRun \"millrace%s --help\" for the flags and their meaning.\n", err, nameOf(parsed.Selected()))
		return exitUsage
	default:
		fmt.Fprintf(stderr, "millrace: %v\n", err)
		return exitError
	}
}

// commandOf returns the command that a parse error is about, with a space before it, or "".
func commandOf(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		return nameOf(parse.Context.Selected())
	}
	return ""
}

// nameOf returns what is typed behind millrace for a command, each word with a space before it; "" for none.
func nameOf(n *kong.Node) string {
	if n == nil || n.Parent == nil {
		return "" // the program itself
	}
	return nameOf(n.Parent) + " " + n.Name
}

// usageError is a finding about flags that the parser itself cannot see.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }
