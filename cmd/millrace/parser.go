package main

import (
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"millrace/cmd/internal/cli"
)

// newParser returns the parser of the command line. Exit is called instead of ending the process,
// for --help and --version.
func newParser(flags *commandLine, stdout, stderr io.Writer, exit func(code int)) (*kong.Kong, error) {
	return kong.New(flags, cli.Style("millrace", description, stdout, stderr, exit)...)
}

// versionFlag prints the version, wherever on the command line it is.
type versionFlag bool

// BeforeReset runs as soon as the flag is parsed, whatever else is wrong with the command line.
func (versionFlag) BeforeReset(app *kong.Kong) error {
	if _, err := fmt.Fprint(app.Stdout, versionLine()); err != nil {
		return err
	}
	app.Exit(exitOK)
	return nil
}
