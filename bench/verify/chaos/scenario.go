package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"millrace/bench/verify/report"
)

// Options are the settings of Run. Zero fields take the scenario's own long form.
type Options struct {
	// Scenario is the name of one of Scenarios. Required.
	Scenario string
	// Seed makes the log and the schedule.
	Seed uint64
	// Events is the length of the log; Times how often the scenario does its harm: kills, restarts,
	// seeds.
	Events, Times int
	// Wall is how long a scenario that has a length runs.
	Wall time.Duration
	// Kafka are the addresses of a real cluster without Millrace's topics, to be used instead of
	// brokers in this process. Scenarios that do harm to the brokers themselves refuse it.
	Kafka []string
	// Brokers, if not 0, is the number of brokers of Apache Kafka that are started for the run,
	// with package services, and used instead of brokers in this process. KafkaHome is an unpacked
	// Kafka; "" is one that Maven installs. Services is where programs are kept from run to run; ""
	// is services.DefaultDir.
	Brokers             int
	KafkaHome, Services string
	// Store is the address of the store that a scenario writes to: s3://… for that of the archive.
	// Default: one in Dir.
	Store string
	// Dir takes the state folders, emptied afterwards. Default: the folder for temporary files.
	Dir string
	// Worker makes the command of a worker: a process that hands spec to Work. Required, except by
	// scenarios that have no workers.
	Worker func(spec string) *exec.Cmd
	// Audit, if set, makes the command of a process that reads its spec as Audit, compares the two
	// stores with the self-audit, each hour once, and prints Audited. With it an emitter and an
	// archiver run beside the engine, and their stores are audited at the end of each log.
	Audit func(spec string) *exec.Cmd
	// Progress, if set, is told how far a phase is.
	Progress func(phase string, done, total int)

	report  *Report
	audited *audited
}

// progress calls Progress, if there is one.
func (o *Options) progress(phase string, done, total int) {
	if o.Progress != nil {
		o.Progress(phase, done, total)
	}
}

// Scenario is one way to do harm.
type Scenario struct {
	// Name is what Options name.
	Name string
	// Row is the row of the reliability table that it is the long form of.
	Row string
	// Text says what it does and what has to hold, in a line or two.
	Text string
	run  func(context.Context, Options) error
	// events and times are the long form's.
	events, times int
	wall          time.Duration
	// realTimes and realWall are those with Options.Brokers, if they are others.
	realTimes int
	realWall  time.Duration
	// own says that it needs brokers of its own; fake that those have to be in this process.
	own, fake bool
	// bare says that it has no windows in topics, and so nothing to audit.
	bare bool
}

// Report is what came of a scenario.
type Report struct {
	report.Report
	// Scenario and Seed are the options': with them the same log and the same decisions come again.
	Scenario string
	Seed     uint64
}

// ErrUnknown is returned for the name of a scenario that there is not.
var ErrUnknown = errors.New("unknown scenario")

// Scenarios are all there are, in the order of the reliability table.
func Scenarios() []Scenario {
	return []Scenario{
		{Name: "kills", Row: "T1", events: 2_000_000, times: 100, run: kills,
			Text: "The engine is killed with -9 at random moments, half of them while it catches up."},
		{Name: "wipes", Row: "T2", events: 2_000_000, times: 100, run: wipes,
			Text: "The same, and on a quarter of the restarts its state folder is gone."},
		{Name: "points", Row: "T3", events: 40_000, times: 50, run: points,
			Text: "The engine kills itself at each of the named points, in random order, in as many rounds as --times says, each with a seed of its own; every point has to be hit."},
		{Name: "produce", Row: "T4", events: 200_000, wall: 5 * time.Minute, run: produce, own: true, fake: true,
			Text: "The produces of one partition's changelog fail for longer than the producer tries again (--for); what is committed may never pass what the changelog has."},
		{Name: "stop", Row: "T5", events: 200_000, times: 3, wall: 30 * time.Second, run: stop,
			Text: "An engine is stopped with SIGSTOP for longer than its session (--for), a successor takes over, then it goes on; in turns."},
		{Name: "brokers", Row: "T6", events: 1_000_000, times: 100, realTimes: 15, realWall: 8 * time.Second, run: brokers, own: true,
			Text: "Three brokers move leaders and coordinators, drop connections, do what was asked and lose the answer, and refuse requests. With --brokers they are killed with -9, stopped, and hang, each time for --for on average."},
		{Name: "disk", Row: "T7", times: 5_000, run: disk, bare: true,
			Text: "The schedules of package sim on disks that refuse a write, or all from one on, while the state is opened, recovers, works or is closed, and that lose what was not synced: as many as --times says, from the seed on."},
		{Name: "influx", Row: "T8", events: 300_000, times: 60, wall: 10 * time.Minute, run: influx,
			Text: "A real InfluxDB refuses, throttles, hangs up, does what was asked without saying so, writes the half, and is away for --for: what it holds in the end is right, the lag is gone in 2 min."},
		{Name: "lake", Row: "T9", events: 500_000, times: 135, run: killArchiver,
			Text: "The archive's store fails one request in ten, half of them after they were done, and the archiver is killed around uploads, commits, merges and deletions, or suspended while another goes on, in as many rounds as --times says, a quarter of them the latter: every event is in the lake once, and so is its hit; no snapshot that is taken meanwhile goes back or lacks a file."},
		{Name: "rolling", Row: "T10", events: 500_000, times: 4, wall: 20 * time.Second, run: rolling,
			Text: "Two instances become three and then one, each change after --for, under a steady load; a partition's pause has a p99 under 15 s."},
		{Name: "recovery", Row: "T11", events: 2_000_000, run: recover1M,
			Text: "The state is lost and comes back from the changelog: 200,000 deltas or 1 M updates of a value in a second at least."},
		{Name: "idle", Row: "T12", events: 30_000, wall: 4 * time.Minute, run: idle,
			Text: "Seven of eight partitions see ticks only, and one of two collectors dies half-way; windows fire at most 5 s after they may. Real time (--for)."},
		{Name: "late", Row: "T13", events: 1_000_000, run: late,
			Text: "A fifth of the events is late or out of order, a twentieth too late: on time + late + dropped = input, exactly."},
		{Name: "schedules", Row: "T14", events: 400_000, times: 20, run: schedules,
			Text: "One log is counted under two schedules of kills: the windows are the same bytes."},
		{Name: "spool", Row: "T21", times: 100, run: spooling, own: true, fake: true,
			Text: "A collector with a spool is killed with -9 under load while Kafka comes and goes and loses answers: each event that was answered with 2xx is in the log, and what was sent once is there once."},
		{Name: "sim", Row: "T15", times: 100_000, run: simulate, bare: true,
			Text: "The schedules of package sim, as many as --times says, from the seed on."},
		{Name: "sketches", Row: "T16", events: 1_000_000, times: 1_000, run: sketches, bare: true,
			Text: "Sketches grow to as many visitors as --events says: exact to 1,000, from there on within 3 standard errors as often as a normal error is, and the same bytes when they are made again in another order."},
		{Name: "soak", Row: "T17", wall: 2 * time.Hour, run: soak,
			Text: "Load at 70 % of the most that this machine takes, for --for: memory grows by less than 1 % an hour, open files and goroutines not at all."},
		{Name: "poison", Row: "T19", events: 1_000_000, run: poison,
			Text: "One record in a hundred can't be read (bad JSON, 2 MB of zeros, nothing, an unknown version): the engine never ends, and each becomes a dead letter."},
	}
}

// Run runs a scenario. The report is complete only without an error; an error says that the
// scenario could not be played to its end, and is no verdict on any value. Values that are wrong
// are in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	list := Scenarios()
	i := slices.IndexFunc(list, func(s Scenario) bool { return s.Name == o.Scenario })
	if i < 0 {
		return nil, fmt.Errorf("%w %q", ErrUnknown, o.Scenario)
	}
	s := list[i]
	if s.own && len(o.Kafka) > 0 {
		return nil, fmt.Errorf("scenario %s does harm to the brokers and runs only on brokers of its own", s.Name)
	}
	if s.fake && o.Brokers > 0 {
		return nil, fmt.Errorf("scenario %s needs brokers that fail on request, and those are in this process", s.Name)
	}
	if o.Brokers < 0 {
		return nil, fmt.Errorf("%d brokers: a number of brokers is not negative", o.Brokers)
	}
	if o.Brokers > 0 && len(o.Kafka) > 0 {
		return nil, errors.New("a cluster of its own and one that is there can't both be used")
	}
	if o.Brokers > 0 { // where each harm takes seconds
		s.times, s.wall = cmp.Or(s.realTimes, s.times), cmp.Or(s.realWall, s.wall)
	}
	o.Events = cmp.Or(o.Events, s.events)
	o.Times = cmp.Or(o.Times, s.times)
	o.Wall = cmp.Or(o.Wall, s.wall)
	o.report, o.audited = &Report{Scenario: s.Name, Seed: o.Seed}, &audited{}
	if s.bare {
		o.Audit = nil
	}
	began := time.Now()
	err := s.run(ctx, o)
	o.report.Wall = time.Since(began)
	if err != nil {
		return o.report, fmt.Errorf("scenario %s, seed %d: %w", s.Name, o.Seed, err)
	}
	if o.Audit != nil {
		o.report.addAudited(o.audited)
	}
	return o.report, nil
}
