// Command devservices starts and stops the servers of package services: see deploy/README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"millrace/internal/services"
	"millrace/internal/services/cmd/internal/script"
)

func main() {
	os.Exit(script.Run("dev-services", usage, os.Args[1:], os.Stdout, os.Stderr, command))
}

const usage = `usage: dev-services.sh up [influx] [versitygw | minio]   start servers (default: influx versitygw)
       dev-services.sh env                                  print the environment of the running ones
       dev-services.sh down                                 stop them and remove their data

up and env print lines for a shell:  eval "$(deploy/dev-services.sh up)"
Programs and data lie in $MILLRACE_SERVICES_DIR, or millrace-services in the user's folder for caches.
`

func command(ctx context.Context, m *services.Manager, name string, args []string, stdout io.Writer) error {
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
		return fmt.Errorf("%w %q", script.ErrUsage, name)
	}
	return nil
}

func printEnv(w io.Writer, running []services.Running) {
	for _, r := range running {
		fmt.Fprintln(w, r.Env())
	}
}
