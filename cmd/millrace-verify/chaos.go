package main

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"time"

	"millrace/bench/verify/chaos"
	"millrace/cmd/internal/cli"
	"millrace/internal/progress"
)

// chaosCommand plays a scenario of package chaos.
type chaosCommand struct {
	List        bool          `help:"List the scenarios and what they do."`
	Scenario    string        `placeholder:"NAME" help:"Scenario to play, or all."`
	Seed        uint64        `placeholder:"N" help:"Seed of the log and of the schedule. Default: a random one, printed."`
	Events      int           `placeholder:"N" help:"Events of the log. Default: as many as the long form has."`
	Times       int           `placeholder:"N" help:"How often the scenario does its harm: kills, rounds, seeds. Default: the long form's."`
	For         time.Duration `placeholder:"TIME" help:"How long a scenario that has no other end goes on. Default: the long form's."`
	Kafka       []string      `placeholder:"HOST:PORT" env:"-" help:"Brokers of a Kafka cluster without Millrace's topics. Default: brokers in this process."`
	Brokers     int           `placeholder:"N" env:"-" help:"Start N brokers of Apache Kafka for the scenario and end them afterwards: 3, say. It needs Java 17, and Maven or --kafka-home."`
	KafkaHome   string        `placeholder:"DIR" help:"Unpacked Kafka of version 4, for --brokers. Default: Maven fetches one."`
	ServicesDir string        `placeholder:"DIR" help:"Folder for the programs that a scenario starts, as of deploy/dev-kafka.sh. Default: millrace-services in the user's folder for caches."`
	Store       string        `placeholder:"ADDRESS" env:"-" help:"Store that the scenario writes to: an s3:// address for lake, an empty InfluxDB database for influx. Default: a folder for lake, an InfluxDB of its own for influx."`
	Audit       bool          `default:"true" negatable:"" help:"Run an emitter and an archiver beside the engine, and have their stores compared by the self-audit, which also has to find a number that is falsified."`
	Dir         string        `placeholder:"DIR" help:"Folder for the engine's state, emptied afterwards. Default: a temporary one."`
}

// Help is the text behind the list of flags.
func (chaosCommand) Help() string {
	return `Example:

  millrace-verify chaos --scenario kills --events 200000 --times 10

The exit code is 1 if a value is wrong.`
}

// Run plays the scenarios one after the other, all of them also if one has wrong values.
func (c *chaosCommand) Run(p *process) error {
	if c.List {
		for _, s := range chaos.Scenarios() {
			fmt.Fprintf(p.stdout, "%-11s %-4s %s\n", s.Name, s.Row, s.Text)
		}
		return nil
	}
	if c.Scenario == "" {
		return cli.Usagef("--scenario: name one, or all; --list shows them")
	}
	if c.Events < 0 || c.Times < 0 || c.For < 0 || c.Brokers < 0 {
		return cli.Usagef("--events, --times, --for and --brokers are not negative")
	}
	if c.Seed == 0 {
		var b [4]byte
		rand.Read(b[:]) // never fails
		c.Seed = uint64(binary.LittleEndian.Uint32(b[:])) + 1
	}
	names := []string{c.Scenario}
	if c.Scenario == "all" {
		names = nil
		for _, s := range chaos.Scenarios() {
			names = append(names, s.Name)
		}
	}
	wrong := 0
	for _, name := range names {
		report, err := c.play(p, name)
		if errors.Is(err, chaos.ErrUnknown) {
			return cli.Usagef("--scenario: %w; --list shows them", err)
		}
		if report != nil {
			fmt.Fprint(p.stdout, report)
		}
		if err != nil {
			return err
		}
		wrong += len(report.Wrong)
	}
	if wrong > 0 {
		return fmt.Errorf("%d values are wrong; the seed is %d", wrong, c.Seed)
	}
	return nil
}

// play plays one scenario. Its workers are this program, with the hidden command.
func (c *chaosCommand) play(p *process, name string) (*chaos.Report, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find my own program: %w", err)
	}
	phases := progress.Phases{W: p.stderr, Prefix: name + ": "}
	defer phases.Finish()
	o := chaos.Options{
		Scenario: name, Seed: c.Seed, Events: c.Events, Times: c.Times, Wall: c.For, Kafka: c.Kafka, Store: c.Store, Dir: c.Dir,
		Brokers: c.Brokers, KafkaHome: c.KafkaHome, Services: c.ServicesDir,
		Worker:   func(spec string) *exec.Cmd { return exec.Command(program, "worker", spec) },
		Progress: phases.Set,
	}
	if c.Audit {
		o.Audit = func(spec string) *exec.Cmd { return exec.Command(program, "audit", spec) }
	}
	fmt.Fprintf(p.stdout, "%-14s %s, seed %d\n", "scenario", name, c.Seed)
	return chaos.Run(p.ctx, o)
}

// workerCommand is the process that a scenario kills.
type workerCommand struct {
	Spec string `arg:"" help:"What to do, as JSON."`
}

// Run works until the parent kills it or ends.
func (c *workerCommand) Run(p *process) error {
	log := slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return chaos.Work(p.ctx, c.Spec, p.stdin, p.stdout, log)
}
