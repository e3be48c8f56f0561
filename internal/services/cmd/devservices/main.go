// Command devservices starts and stops the servers of package services: see deploy/README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"millrace/internal/services"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

const usage = `usage: dev-services.sh up [influx] [versitygw | minio]   start servers (default: influx versitygw)
       dev-services.sh env                                  print the environment of the running ones
       dev-services.sh down                                 stop them and remove their data

up and env print lines for a shell:  eval "$(deploy/dev-services.sh up)"
Programs and data lie in $MILLRACE_SERVICES_DIR, or millrace-services in the user's folder for caches.
`

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 || args[0] == "-h" || args[0] == "--help" {
		fmt.Fprint(stderr, usage)
		return 2
	}
	// A server that is being started is stopped again when we are interrupted.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, args[0], args[1:], stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "dev-services: %v\n", err)
		if errors.Is(err, errUsage) {
			fmt.Fprint(stderr, usage)
			return 2
		}
		return 1
	}
	return 0
}

var errUsage = errors.New("unknown command")

func command(ctx context.Context, name string, args []string, stdout, stderr io.Writer) error {
	m := services.Manager{Dir: os.Getenv("MILLRACE_SERVICES_DIR"), Log: stderr}
	if m.Dir == "" {
		dir, err := services.DefaultDir()
		if err != nil {
			return err
		}
		m.Dir = dir
	}
	switch name {
	case "up":
		if len(args) == 0 {
			args = []string{services.Influx, services.S3Default}
		}
		running, err := m.Up(ctx, args...)
		if err != nil {
			return err
		}
		printEnv(stdout, running)
	case "env":
		running, err := m.Running()
		if err != nil {
			return err
		}
		if len(running) == 0 {
			return errors.New("no servers run: dev-services.sh up starts them")
		}
		printEnv(stdout, running)
	case "down":
		return m.Down(ctx)
	default:
		return fmt.Errorf("%w %q", errUsage, name)
	}
	return nil
}

func printEnv(w io.Writer, running []services.Running) {
	for _, r := range running {
		fmt.Fprintln(w, r.Env())
	}
}
