package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"millrace/cmd/internal/duration"
)

// Exit codes of every program. A program may have more of its own.
const (
	ExitOK    = 0
	ExitError = 1 // something failed
	ExitUsage = 2 // wrong flags, environment or config file
)

// Main runs a program and ends the process with the exit code that run returns. Its context ends
// with the first SIGINT, SIGTERM or SIGHUP; the last unless nohup has the process ignore it.
func Main(run func(context.Context) int) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		s := <-signals
		// After the first signal the default action is back, so that a second one ends the process
		// at once.
		signal.Stop(signals)
		cancel(&StopSignal{s})
	}()
	os.Exit(run(ctx))
}

// OutlivePipes lets the process go on when the reader of its output ends, such as head: writing
// returns an error then. Without it the next line ends the process at once.
func OutlivePipes() { signal.Ignore(syscall.SIGPIPE) }

// StopSignal is the cause of a context that a signal has ended.
type StopSignal struct{ os.Signal }

func (s *StopSignal) Error() string { return "told to stop: " + s.String() }

// UsageError is a finding about flags that the parser itself cannot see.
type UsageError struct{ err error }

func (e *UsageError) Error() string { return e.err.Error() }
func (e *UsageError) Unwrap() error { return e.err }

// Usagef returns a UsageError; it formats as fmt.Errorf does.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// Style returns how every program reads flags and prints help. Exit is called instead of ending
// the process, for --help and --version.
func Style(name, description string, stdout, stderr io.Writer, exit func(code int)) []kong.Option {
	return []kong.Option{
		kong.Name(name),
		kong.Description(description),
		kong.DefaultEnvars("MILLRACE"),
		kong.Writers(stdout, stderr),
		kong.Exit(exit),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), DurationMapper{}),
		// Which variable belongs to a flag is said once, not at each flag.
		kong.ValueFormatter(func(v *kong.Value) string { return v.Help }),
		kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true, WrapUpperBound: 110}),
	}
}

// Report prints the error of a command, if it is one, and returns the exit code for it.
func Report(program string, command *kong.Node, err error, stderr io.Writer) int {
	if err == nil {
		return ExitOK
	}
	fmt.Fprintf(stderr, "%s: %v\n", program, err)
	if !errors.As(err, new(*UsageError)) {
		return ExitError
	}
	fmt.Fprintf(stderr, "Run \"%s%s --help\" for the flags and their meaning.\n", program, NameOf(command))
	return ExitUsage
}

// NameOf returns what is typed behind the program's name for a command, each word with a space
// before it; "" for none.
func NameOf(n *kong.Node) string {
	if n == nil || n.Parent == nil {
		return "" // the program itself
	}
	return NameOf(n.Parent) + " " + n.Name
}

// CommandOf returns NameOf of the command that a parse error is about, or "".
func CommandOf(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		return NameOf(parse.Context.Selected())
	}
	return ""
}

// DurationMapper reads the flags of type time.Duration.
type DurationMapper struct{}

// Decode implements kong.Mapper.
func (DurationMapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	d, err := duration.Parse(text)
	if err != nil {
		return err
	}
	target.SetInt(int64(d))
	return nil
}
