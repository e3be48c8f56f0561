package sizing

import (
	"errors"
	"fmt"
	"math"
	"time"

	"millrace/cmd/internal/duration"
)

// Options are what is asked for. Defaults has what they are if nothing is said.
type Options struct {
	// EventsPerDay is the mean, 1 to MostEvents.
	EventsPerDay float64
	// Sites have the events between them. 0: one for each 100,000 events a day, at least 1.
	Sites int
	// Peak is the busiest minute's rate over the mean's, 1 to 100.
	Peak float64
	// Replicas is the number of copies of each topic, 1 to 7.
	Replicas int
	// Retention is for how long events stay in the log, 1 h to 90 days.
	Retention time.Duration
	// NodeCores is the number of processor cores of a node, Use the share of them that is used at the
	// peak, 0.05 to 0.9.
	NodeCores int
	Use       float64
	// Queries is how many are asked in a second at the peak.
	Queries float64
}

// MostEvents is the most events a day that a plan is made for.
const MostEvents = 10e9

// mostSites is what one deployment is thought for.
const mostSites = 10_000_000

const (
	day       = 24 * time.Hour
	monthDays = 30.0
	// stateLife is how long the changelog is kept at least: four times the 14 hours for which a record
	// can matter to the state.
	stateLife = 56*time.Hour + 8*time.Minute
	lateness  = time.Hour
)

// Defaults are the options of a number of events of which nothing else is known.
func Defaults(eventsPerDay float64) Options {
	return Options{EventsPerDay: eventsPerDay, Peak: 4, Replicas: 3, Retention: day, NodeCores: 4, Use: 0.5, Queries: 1}
}

// Validate reports everything that is wrong, as one error.
func (o Options) Validate() error {
	var errs []error
	within := func(flag string, v, least, most float64) {
		if !(v >= least && v <= most) {
			errs = append(errs, fmt.Errorf("--%s: %s is not %s to %s", flag, number(v), number(least), number(most)))
		}
	}
	within("events-per-day", o.EventsPerDay, 1, MostEvents)
	within("site-count", float64(o.Sites), 0, mostSites)
	within("peak", o.Peak, 1, 100)
	within("replicas", float64(o.Replicas), 1, 7)
	within("node-cores", float64(o.NodeCores), 1, 256)
	within("use", o.Use, 0.05, 0.9)
	within("queries", o.Queries, 0, 100_000)
	if o.Retention < time.Hour || o.Retention > 90*day {
		errs = append(errs, fmt.Errorf("--retention: %s is not 1h to 90d", duration.Text(o.Retention)))
	}
	return errors.Join(errs...)
}

// Plan is what Options take.
type Plan struct {
	Options Options
	// Mean and PeakRate are events a second; Density is events of a site in a minute, on average;
	// PerRecord how many share a record of the log at the mean.
	Mean, PeakRate, Density, PerRecord float64
	// OneProcess is true if a single serve with everything embedded has room for it.
	OneProcess bool
	Partitions int
	Roles      []Role
	Brokers    int
	// BrokerDisk is of one broker, in bytes; Topics has the sum over all copies of each.
	BrokerDisk int64
	Topics     []Store
	// State is the disk of all engines' state, in bytes.
	State int64
	// Month has what is added in 30 days: the bucket, and the rollup store, local or InfluxDB.
	Month []Store
	// Puts is how many objects are put into the bucket in a day, at most.
	Puts int64
}

// Role is what one role takes.
type Role struct {
	Name  string
	Cores float64 // used at the peak
	Nodes int
	// Memory is of all its nodes, in bytes.
	Memory int64
}

// Store is a number of bytes.
type Store struct {
	Name  string
	Bytes int64
}

// Compute returns the plan for valid options.
func Compute(o Options) (*Plan, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Sites == 0 {
		o.Sites = int(max(1, o.EventsPerDay/100_000))
	}
	p := &Plan{Options: o, Mean: o.EventsPerDay / day.Seconds()}
	p.PeakRate = p.Mean * o.Peak
	p.Density = p.Mean * 60 / float64(o.Sites)
	p.PerRecord = min(mostPerRecord, 1+p.Mean*linger/leastPartitions/2)
	c := costOf(p.Density, p.PerRecord, p.Mean*archiveEvery/leastPartitions)
	p.roles(c)
	p.topics(c)
	events := o.EventsPerDay * monthDays
	p.Month = []Store{
		{"archive", int64(events * c.parquet)}, {"hits and visits", p.hits(events)}, {"rollups, in InfluxDB", int64(events * c.influxStore)}, {"or in the local store", int64(events * c.localStore)},
	}
	p.Puts = int64(float64(p.Partitions) * min(day.Seconds()/archiveEvery, o.EventsPerDay/float64(p.Partitions)) * putsOfMinute)
	return p, nil
}

// hits is what a number of events takes as hits and visits, and the files of two hours before they are merged.
func (p *Plan) hits(events float64) int64 {
	const unmerged = 2 // hours: one until they are merged, one until the files are deleted
	files := float64(p.Partitions) * min(unmerged*3600/archiveEvery, p.Mean*unmerged*3600/float64(p.Partitions)) * 2
	return int64(events*(hitBytes+hitVisitBytes) + unmerged*3600*p.Mean*segmentHitBytes + files*segmentFileBytes)
}

// cost is what an event takes: microseconds of processor time by role, bytes by store.
type cost struct {
	collect, process, emit, archive  float64
	events, changelog, windows       float64
	parquet, localStore, influxStore float64
}

// costOf returns it by events of a site in a minute, of a record of the log, and of a file of the
// archive.
func costOf(density, perRecord, perFile float64) cost {
	fired := steady * firedPoints.at(density)
	points := minutePoints.at(density) + visitPoints.at(15*density) + minutePoints.at(60*density)
	return cost{
		collect:   collectMicros.at(perRecord),
		process:   processRecordMicros/perRecord + processEventMicros + processPointMicros*fired,
		emit:      emitPointMicros * fired,
		archive:   archiveRecordMicros/perRecord + archiveEventMicros,
		events:    eventsBytes.at(perRecord),
		changelog: changelogBytes.at(perRecord),
		windows:   steady * windowsBytes.at(density),
		parquet:   parquetBytes.at(perFile), localStore: points * localPointBytes, influxStore: points * influxPointBytes,
	}
}

// roles fills in processors, nodes and partitions.
func (p *Plan) roles(c cost) {
	o := p.Options
	// At the peak more events share a minute and a record, and each takes less; the mean is the safer side.
	cores := func(micros float64) float64 { return p.PeakRate * micros / 1e6 }
	p.Roles = []Role{
		{Name: "collect", Cores: cores(c.collect)},
		{Name: "process", Cores: cores(c.process)},
		{Name: "emit", Cores: cores(c.emit)},
		{Name: "archive", Cores: cores(c.archive)},
		{Name: "query", Cores: o.Queries * queryMicros / 1e6},
	}
	sum := 0.0
	for i := range p.Roles {
		r := &p.Roles[i]
		r.Cores += idleCores[r.Name]
		sum += r.Cores
		r.Nodes = max(2, int(math.Ceil(r.Cores/(float64(o.NodeCores)*o.Use)))) // two, so that one may fail
		r.Memory = int64(float64(r.Nodes)*baseMemory[r.Name] + perSiteMemory[r.Name]*float64(o.Sites) + perRateMemory[r.Name]*p.PeakRate)
	}
	// The embedded broker is one goroutine, and a partition's engine another.
	p.OneProcess = sum <= float64(o.NodeCores)*o.Use && p.PeakRate <= onePeak
	for p.Partitions = leastPartitions; float64(p.Partitions)*partitionCores < cores(c.process) && p.Partitions < mostPartitions; {
		p.Partitions *= 2
	}
}

const (
	leastPartitions = 64
	mostPartitions  = 4096
	partitionCores  = 0.5
	onePeak         = 2000
	mostPerRecord   = 100
	linger          = 0.005 // seconds, --linger
	archiveEvery    = 60.0  // seconds, --archive-every
	// brokerBytes is what a broker may be written in a second at the peak, and brokerDisk what it may
	// hold. They are not measured: disks and networks of 10 Gbit/s have room for them.
	brokerBytes = 50e6
	brokerDisk  = 4e12
	diskUse     = 0.7 // of a disk
)

// topics fills in the log.
func (p *Plan) topics(c cost) {
	o := p.Options
	bytes := func(perEvent float64, kept time.Duration) int64 {
		return int64(o.EventsPerDay * perEvent * kept.Hours() / 24 * float64(o.Replicas))
	}
	p.Topics = []Store{
		{"millrace.events", bytes(c.events, o.Retention)},
		{"millrace.engine-table", bytes(c.changelog, max(2*o.Retention+lateness, stateLife))},
		{"millrace.windows", bytes(c.windows, o.Retention)},
	}
	held := int64(0)
	for _, t := range p.Topics {
		held += t.Bytes
	}
	written := p.PeakRate * (c.events + c.changelog + c.windows) * float64(o.Replicas)
	p.Brokers = max(o.Replicas, int(math.Ceil(written/brokerBytes)), int(math.Ceil(float64(held)/brokerDisk)))
	p.BrokerDisk = int64(float64(held) / float64(p.Brokers) / diskUse)
	p.State = int64(o.EventsPerDay * stateBytes)
}

// table is a figure over a density, in rows that rise.
type table []struct{ density, value float64 }

// at interpolates between the rows, both in logarithms.
func (t table) at(density float64) float64 {
	if density <= t[0].density {
		return t[0].value
	}
	for i := 1; i < len(t); i++ {
		a, b := t[i-1], t[i]
		if density <= b.density {
			share := math.Log(density/a.density) / math.Log(b.density/a.density)
			return a.value * math.Pow(b.value/a.value, share)
		}
	}
	return t[len(t)-1].value
}
