package chaos

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"testing"
	"time"

	"millrace/internal/kafkatest"
	"millrace/internal/testgc"
	"millrace/internal/testtmp"
)

// The short forms of all scenarios: go test ./bench/verify/chaos -slow. The long ones: go test
// ./bench/verify/chaos -long -timeout 0. Another seed: -seed N.
var (
	slow = flag.Bool("slow", false, "play the scenarios that mostly wait, too")
	long = flag.Bool("long", false, "run the scenarios as long as millrace-verify chaos does")
	seed = flag.Uint64("seed", 1, "seed of the logs and the schedules")
)

// asWorker makes the test binary a worker with the variable's value as its job.
const asWorker = "MILLRACE_CHAOS_WORKER"

func TestMain(m *testing.M) {
	if spec := os.Getenv(asWorker); spec != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		if err := Work(ctx, spec, os.Stdin, os.Stdout, log); err != nil {
			log.Error(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	if flag.Parse(); !*slow && !*long { // with these a scenario looks at how the heap grows
		testgc.Relax()
		testtmp.Memory()
	}
	code := m.Run()
	if auditorProgram != "" {
		os.RemoveAll(filepath.Dir(auditorProgram))
	}
	os.Exit(code)
}

// play runs a scenario, in its short form unless -long is given, and returns its report.
func play(t *testing.T, short Options) *Report {
	t.Helper()
	t.Parallel()
	o := short
	if *long {
		o = Options{Scenario: short.Scenario, Kafka: short.Kafka}
	}
	o.Seed, o.Dir = *seed, t.TempDir()
	if len(o.Kafka) == 0 {
		o.Audit = mustAuditor(t)
	}
	o.Worker = func(spec string) *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), asWorker+"="+spec)
		return cmd
	}
	ctx, cancel := context.WithCancel(t.Context())
	if !*long {
		ctx, cancel = context.WithTimeout(ctx, 4*time.Minute)
	}
	defer cancel()
	r, err := Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s, seed %d\n%s", o.Scenario, o.Seed, r)
	if len(r.Wrong) > 0 {
		t.Error("wrong values")
	}
	return r
}

// patient marks what takes long, or mostly waits (for clients' back-offs, for sessions, for a process to
// start again and again), beside TestKills, TestSchedules, TestLate and TestPoison, which
// have what most changes would break.
func patient(t *testing.T) {
	t.Helper()
	if !*slow && !*long {
		t.Skip("takes its time; -slow plays it")
	}
}

// likeKills marks what has the goroutines of TestKills and other numbers: nothing for the race
// detector, under which each scenario takes ten times as long.
func likeKills(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("has no goroutines that TestKills has not; the full form plays it")
	}
}

// events is how many events a log has: a third of them without -slow, which CI plays with.
func events(n int) int {
	if *slow {
		return n
	}
	return n / 3
}

// times is how often harm is done: less often without -slow.
func times(n, short int) int {
	if *slow {
		return n
	}
	return short
}

func TestUnknown(t *testing.T) {
	if _, err := Run(t.Context(), Options{Scenario: "none"}); !errors.Is(err, ErrUnknown) {
		t.Errorf("error %v", err)
	}
}

func TestKills(t *testing.T) {
	play(t, Options{Scenario: "kills", Events: events(6_000), Times: times(3, 2)})
}
func TestWipes(t *testing.T) {
	patient(t)
	play(t, Options{Scenario: "wipes", Events: events(6_000), Times: times(4, 3)})
}

// One round: a point may be missed in it, all others may not.
func TestPoints(t *testing.T) {
	patient(t)
	play(t, Options{Scenario: "points", Events: events(12_000), Times: 1})
}

func TestProduce(t *testing.T) {
	patient(t)
	play(t, Options{Scenario: "produce", Events: events(5_000), Wall: 3 * time.Second})
}
func TestStop(t *testing.T) {
	patient(t)
	play(t, Options{Scenario: "stop", Events: events(5_000), Times: 1, Wall: 2 * time.Second})
}
func TestBrokers(t *testing.T) {
	patient(t)
	play(t, Options{Scenario: "brokers", Events: events(6_000), Times: 6})
}
func TestRolling(t *testing.T) {
	patient(t)
	play(t, Options{Scenario: "rolling", Events: events(5_000), Times: 1, Wall: 500 * time.Millisecond})
}
func TestSpool(t *testing.T) {
	if *slow {
		play(t, Options{Scenario: "spool", Times: 12})
		return
	}
	likeKills(t)
	play(t, Options{Scenario: "spool", Times: 1})
}
func TestRecovery(t *testing.T) {
	patient(t)
	play(t, Options{Scenario: "recovery", Events: events(6_000)})
}
func TestIdle(t *testing.T) {
	patient(t)
	play(t, Options{Scenario: "idle", Events: 500, Wall: 18 * time.Second})
}
func TestLate(t *testing.T) {
	likeKills(t)
	play(t, Options{Scenario: "late", Events: events(6_000)})
}
func TestSchedules(t *testing.T) {
	likeKills(t)
	play(t, Options{Scenario: "schedules", Events: events(5_000), Times: times(2, 1)})
}

// The tests of package sketch grow hundreds.
func TestSketches(t *testing.T) {
	patient(t)
	play(t, Options{Scenario: "sketches", Times: 10, Events: events(50_000)})
}

// The tests of package sim play thousands.
func TestSim(t *testing.T) {
	patient(t)
	play(t, Options{Scenario: "sim", Times: 10})
}
func TestDisk(t *testing.T) {
	patient(t)
	play(t, Options{Scenario: "disk", Times: 10})
}
func TestSoak(t *testing.T) {
	patient(t)
	play(t, Options{Scenario: "soak", Wall: 3 * time.Second})
}
func TestPoison(t *testing.T) { play(t, Options{Scenario: "poison", Events: events(5_000)}) }
func TestLake(t *testing.T) {
	patient(t)
	play(t, Options{Scenario: "lake", Events: 6_000, Times: 4})
}

// The short form wants the server that deploy/dev-services.sh builds.
func TestInflux(t *testing.T) {
	if os.Getenv("MILLRACE_TEST_INFLUX") == "" {
		t.Skip("MILLRACE_TEST_INFLUX not set: run deploy/dev-services.sh up")
	}
	play(t, Options{Scenario: "influx", Events: events(5_000), Times: 6, Wall: 3 * time.Second})
}

// On brokers that are there: a stopped engine's membership, fencing and offsets are those of the
// real thing.
func TestStopOnKafka(t *testing.T) {
	play(t, Options{Scenario: "stop", Events: events(10_000), Times: 1, Wall: 2 * time.Second, Kafka: kafkatest.Fresh(t)})
}
