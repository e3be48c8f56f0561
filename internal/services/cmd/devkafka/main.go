// Command devkafka starts and stops the Kafka cluster of package services: see deploy/README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"millrace/internal/services"
	"millrace/internal/services/cmd/internal/script"
)

func main() {
	os.Exit(script.Run("dev-kafka", usage, os.Args[1:], os.Stdout, os.Stderr, command))
}

const usage = `usage: dev-kafka.sh up [1 | 3] [secure]    start a Kafka cluster of so many brokers (default: 1); secure adds listeners with
                                           TLS and logins, and an authorizer
       dev-kafka.sh env                    print the environment of the running one
       dev-kafka.sh down                   stop it and remove its data
       dev-kafka.sh stop | kill | pause | resume | start BROKER
                                           do that to one broker: 1, 2, 3

up and env print lines for a shell:  eval "$(deploy/dev-kafka.sh up 3)"

MILLRACE_KAFKA_HOME    an unpacked Kafka of version 4; without it Maven fetches one
MILLRACE_KAFKA_VERSION the version that Maven fetches, such as 3.9.2
MILLRACE_KAFKA_PORT    first of twice as many ports as brokers; without it free ones
MILLRACE_SERVICES_DIR  folder for programs and data; without it millrace-services in the user's folder for caches
`

func command(ctx context.Context, m *services.Manager, name string, args []string, stdout io.Writer) error {
	if name == "up" {
		k, err := up(ctx, m, args)
		if err == nil {
			printEnv(stdout, k)
		}
		return err
	}
	k, err := services.OpenKafka(m.DefaultKafkaDir())
	if errors.Is(err, fs.ErrNotExist) {
		if name == "down" {
			return nil
		}
		return errors.New("no cluster runs: dev-kafka.sh up starts one")
	}
	if err != nil {
		return err
	}
	switch {
	case name == "env" && len(args) == 0:
		printEnv(stdout, k)
		return nil
	case name == "down" && len(args) == 0:
		return k.Remove()
	case len(args) == 1:
		return broker(ctx, k, name, args[0])
	}
	return fmt.Errorf("%w %q", script.ErrUsage, strings.Join(append([]string{name}, args...), " "))
}

// up starts a cluster, or what is missing of one that is there.
func up(ctx context.Context, m *services.Manager, args []string) (*services.Kafka, error) {
	brokers, secure := 1, false
	if n := len(args); n > 0 && args[n-1] == "secure" {
		secure, args = true, args[:n-1]
	}
	if len(args) > 0 {
		var err error
		if brokers, err = strconv.Atoi(args[0]); err != nil || len(args) > 1 {
			return nil, fmt.Errorf("%w %q", script.ErrUsage, "up "+strings.Join(args, " "))
		}
	}
	unlock, err := m.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	k, err := services.OpenKafka(m.DefaultKafkaDir())
	if err == nil {
		if len(args) > 0 && k.Len() != brokers {
			return nil, fmt.Errorf("there is a cluster of %d already: dev-kafka.sh down removes it", k.Len())
		}
		return k, k.Up(ctx)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	port := 0
	if text := os.Getenv("MILLRACE_KAFKA_PORT"); text != "" {
		if port, err = strconv.Atoi(text); err != nil {
			return nil, fmt.Errorf("MILLRACE_KAFKA_PORT: %q is not a port", text)
		}
	}
	return m.StartKafka(ctx, services.KafkaOptions{
		Brokers: brokers, Port: port, Home: os.Getenv("MILLRACE_KAFKA_HOME"), Detached: true,
		Version: os.Getenv("MILLRACE_KAFKA_VERSION"), Secure: secure,
	})
}

func broker(ctx context.Context, k *services.Kafka, name, arg string) error {
	id, err := strconv.Atoi(arg)
	if err != nil {
		return fmt.Errorf("%w %q", script.ErrUsage, name+" "+arg)
	}
	switch name {
	case "stop":
		return k.Stop(id)
	case "kill":
		return k.Kill(id)
	case "pause":
		return k.Pause(id)
	case "resume":
		return k.Resume(id)
	case "start":
		return k.Restart(ctx, id)
	}
	return fmt.Errorf("%w %q", script.ErrUsage, name)
}

func printEnv(w io.Writer, k *services.Kafka) {
	fmt.Fprintf(w, "export %s=%s\n", services.KafkaVariable, strings.Join(k.Addrs(), ","))
	if k.Secure() {
		fmt.Fprintf(w, "export %s=%s\n", services.KafkaSecureVariable, k.Dir())
		for _, name := range services.SecureListeners() {
			fmt.Fprintf(w, "# %-9s %s\n", name, strings.Join(k.ListenersAt(name), ","))
		}
		fmt.Fprintf(w, "# certificates: %s\n", k.TLSDir())
	}
	fmt.Fprintf(w, "# logs: %s\n", filepath.Dir(filepath.Dir(k.Log(1)))+"/*/log")
}
