package script

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

// ErrUsage is wrapped by a Command's error for what it does not know: the usage follows the error then.
var ErrUsage = errors.New("unknown command")

// Command does what the first argument says.
type Command func(ctx context.Context, m *services.Manager, name string, args []string, stdout io.Writer) error

// Run runs a command and returns the exit code: 0, 1 if the command failed, 2 if there is no such command.
func Run(program, usage string, args []string, stdout, stderr io.Writer, run Command) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	if args[0] == "-h" || args[0] == "--help" {
		fmt.Fprint(stdout, usage)
		return 0
	}
	// A server that is being started is stopped again when we are interrupted.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	m, err := manager(stderr)
	if err == nil {
		err = run(ctx, m, args[0], args[1:], stdout)
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "%s: %v\n", program, err)
	if errors.Is(err, ErrUsage) {
		fmt.Fprint(stderr, usage)
		return 2
	}
	return 1
}

// manager keeps programs and data where the environment says.
func manager(log io.Writer) (*services.Manager, error) {
	dir := os.Getenv("MILLRACE_SERVICES_DIR")
	if dir == "" {
		var err error
		if dir, err = services.DefaultDir(); err != nil {
			return nil, err
		}
	}
	return &services.Manager{Dir: dir, Log: log}, nil
}
