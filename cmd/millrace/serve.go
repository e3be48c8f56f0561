package main

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"millrace/cmd/internal/datadir"
	"millrace/ingest"
)

// serveCommand runs the roles of the stream: collect, process, emit, archive, query.
type serveCommand struct {
	Roles  []string `default:"collect,process,emit,archive,query" group:"Process" help:"Roles of this process. collect takes beacons, process counts them, emit writes the numbers to the rollup store, archive keeps the events, query answers questions."`
	Listen string   `default:"127.0.0.1:8080" group:"Process" help:"Address for beacons and questions."`
	Admin  string   `default:"127.0.0.1:8081" group:"Process" help:"Address for /livez, /readyz, /metrics and profiles. Keep it from the public."`
	Demo   bool     `group:"Process" help:"Also send believable live traffic for three made-up sites to itself."`

	storeFlags     `embed:""`
	kafkaFlags     `embed:""`
	accessFlags    `embed:""`
	collectorFlags `embed:""`
	engineFlags    `embed:""`
	countingFlags  `embed:""`
}

// collectorFlags say how the collector batches and what it bears.
type collectorFlags struct {
	Linger      time.Duration     `default:"5ms" group:"Collector" help:"How long a batch waits for more events, 100µs to 1s. Each beacon's answer waits as long."`
	MaxBody     byteSize          `default:"1MiB" group:"Collector" help:"Largest body of a request, as sent and unpacked, 1KiB to 64MiB."`
	MaxPending  byteSize          `default:"64MiB" group:"Collector" help:"Memory for events that Kafka has not acknowledged, 64KiB to 64GiB; above it the answer is 503."`
	SiteRate    float64           `default:"0" group:"Collector" help:"Most events a second of one site; 0 is no limit."`
	AddressRate float64           `default:"0" group:"Collector" help:"Most requests a second of one address (IPv6: /64); 0 is no limit."`
	Shards      map[string]uint16 `placeholder:"SITE=N" group:"Collector" help:"Sites too large for one partition, such as giant.example.com=16: their visitors are spread over N parts, 2 to 256, which lie in up to as many partitions. Several with semicolons between them. The same at all collectors; a change splits the visits of that moment."`
}

// engineFlags say when windows fire and files are cut.
type engineFlags struct {
	Grace        time.Duration `default:"2s" group:"Engine" help:"How long after its end a minute waits for stragglers before its numbers are final."`
	Lateness     time.Duration `default:"1h" group:"Engine" help:"How long after its end a minute still takes events in, at most 720h. Later ones are archived, and counted by replay."`
	Early        time.Duration `default:"5s" group:"Engine" help:"How often the numbers of the running minute are updated; 0 is only once it is final."`
	SilentAfter  time.Duration `default:"10s" group:"Engine" help:"How long a collector may be silent before the minutes no longer wait for it."`
	Standby      bool          `group:"Engine" help:"Also follow the state of the partitions that other processes have, to take them over within 10s when one dies. It costs the disk and the network of all partitions, and a session timeout of 6s."`
	ArchiveEvery time.Duration `default:"1m" group:"Engine" help:"How often events are written to the archive, at least 1s. Replay sees what has been written."`
}

// Help is the text behind the list of flags.
func (serveCommand) Help() string {
	return `Examples:

  millrace serve --demo
      everything in one process, with made-up traffic

  millrace serve --listen :8080 --sites shop.example.com,blog.example.com
      the same for two sites, open to the network

  millrace serve --roles process --kafka k1:9092,k2:9092 --data /var/lib/millrace
      one of many: the engine alone, on a Kafka cluster

Sizes are written 512KiB, 64MiB or 1GiB, times 5ms, 2s, 1h.`
}

// The roles.
const (
	roleCollect = "collect"
	roleProcess = "process"
	roleEmit    = "emit"
	roleArchive = "archive"
	roleQuery   = "query"
)

var allRoles = []string{roleCollect, roleProcess, roleEmit, roleArchive, roleQuery}

// drainTime is how long a stop may take before serve gives up and exits with an error.
const drainTime = 14 * time.Second

// Run serves until the process is told to stop.
func (c *serveCommand) Run(p *process, logs *logFlags) error {
	if err := c.validate(); err != nil {
		return err
	}
	newDeriver, err := c.newDeriver()
	if err != nil {
		return err
	}
	n := &node{flags: c, newDeriver: newDeriver, log: logs.open(p.stderr)}
	err = n.start(p.ctx)
	if err == nil {
		n.greet(p.stdout)
		<-p.ctx.Done()
		n.log.Info("stopping")
	}
	stopped := make(chan error, 1)
	go func() { stopped <- n.stop() }()
	select {
	case stopErr := <-stopped:
		if err != nil {
			return err // what stop says then is a consequence
		}
		return stopErr
	case <-time.After(drainTime):
		if err != nil {
			return err
		}
		return fmt.Errorf("not stopped within %v; nothing acknowledged is lost, the next start goes on where this one was", drainTime)
	}
}

// standbySession is the session timeout with --standby: the least that brokers take. A takeover waits for it, and then for
// a second or two.
const standbySession = 6 * time.Second

// sessionTimeout is that of the consumer groups; 0 is the default.
func (c *serveCommand) sessionTimeout() time.Duration {
	if c.SessionTimeout == 0 && c.Standby {
		return standbySession
	}
	return c.SessionTimeout
}

// has tells whether this process has a role.
func (c *serveCommand) has(role string) bool { return slices.Contains(c.Roles, role) }

// usesKafka tells whether a role of this process reads or writes topics.
func (c *serveCommand) usesKafka() bool {
	return c.has(roleCollect) || c.has(roleProcess) || c.has(roleEmit) || c.has(roleArchive)
}

// validate finds what single flags do not show.
func (c *serveCommand) validate() error {
	for i, r := range c.Roles {
		if !slices.Contains(allRoles, r) {
			return usagef("--roles: there is no role %q, only %s", r, strings.Join(allRoles, ", "))
		}
		if slices.Contains(c.Roles[:i], r) {
			return usagef("--roles: %s is there twice", r)
		}
	}
	if len(c.Roles) == 0 {
		return usagef("--roles: name at least one of %s", strings.Join(allRoles, ", "))
	}
	if c.Demo && !c.has(roleCollect) {
		return usagef("--demo needs the role %s", roleCollect)
	}
	if c.Demo && !c.LoopbackTrust {
		return usagef("--demo needs --loopback-trust: it sends its visitors' addresses along")
	}
	if len(c.Kafka) == 0 && c.usesKafka() && len(c.Roles) < len(allRoles) {
		return usagef("--roles %s without --kafka: the embedded broker serves one process only, which then has all roles", strings.Join(c.Roles, ","))
	}
	if len(c.Kafka) > 0 && c.Influx == "" && c.has(roleEmit) != c.has(roleQuery) {
		return usagef("--roles %s without --influx: the local rollup store serves one process only, which then has both %s and %s",
			strings.Join(c.Roles, ","), roleEmit, roleQuery)
	}
	if c.Partitions < 1 || c.Partitions > 10_000 {
		return usagef("--partitions: %d is not between 1 and 10000", c.Partitions)
	}
	if c.Retention < time.Hour {
		return usagef("--retention: %v is less than 1h", c.Retention)
	}
	if c.SessionTimeout != 0 && c.SessionTimeout < time.Second {
		return usagef("--session-timeout: %v is less than 1s", c.SessionTimeout)
	}
	if c.Standby && (len(c.Kafka) == 0 || !c.has(roleProcess)) {
		return usagef("--standby needs --kafka and the role %s: it follows the state of other processes", roleProcess)
	}
	if c.Replication < 0 {
		return usagef("--replication: %d is negative", c.Replication)
	}
	return cmp.Or(c.validateEngine(), c.validateCollector(), c.validateAccess())
}

// validateEngine finds what makes no sense of the engine's settings, and the zeros that it takes for its own defaults.
func (c *serveCommand) validateEngine() error {
	if c.Early < 0 {
		return usagef("--early: %v is negative", c.Early)
	}
	if err := cmp.Or(leastMillisecond("--grace", c.Grace), leastMillisecond("--lateness", c.Lateness), leastMillisecond("--silent-after", c.SilentAfter)); err != nil {
		return err
	}
	if err := c.rules().Validate(); err != nil {
		return usagef("%w", err)
	}
	if c.ArchiveEvery < time.Second {
		return usagef("--archive-every: %v is less than 1s", c.ArchiveEvery)
	}
	return nil
}

func leastMillisecond(flag string, d time.Duration) error {
	if d < time.Millisecond {
		return usagef("%s: %v is less than 1ms", flag, d)
	}
	return nil
}

// validateCollector finds what ingest would refuse by the names of its options, and once stores are open, and the zeros that
// it takes for its own defaults.
func (c *serveCommand) validateCollector() error {
	switch {
	case c.Linger < ingest.LeastLinger || c.Linger > ingest.MostLinger:
		return usagef("--linger: %v is not between 100µs and 1s", c.Linger)
	case c.MaxBody < ingest.LeastBody || c.MaxBody > ingest.MostBody:
		return usagef("--max-body: %d bytes are not between 1KiB and 64MiB", c.MaxBody)
	case c.MaxPending < max(c.MaxBody, ingest.LeastPending) || c.MaxPending > ingest.MostPending:
		return usagef("--max-pending: %d bytes are not between 64KiB, or --max-body if that is more, and 64GiB", c.MaxPending)
	}
	return cmp.Or(validRate("--site-rate", c.SiteRate), validRate("--address-rate", c.AddressRate))
}

func validRate(flag string, v float64) error {
	if !(v >= 0 && v <= ingest.MostRate) { // NaN is not within anything
		return usagef("%s: %v is not between 0 and %v", flag, v, ingest.MostRate)
	}
	return nil
}

// validateAccess finds what is wrong with addresses, sites, keys and time zones, before anything is started.
func (c *serveCommand) validateAccess() error {
	if err := cmp.Or(validAddr("--listen", c.Listen), validAddr("--admin", c.Admin)); err != nil {
		return err
	}
	if c.Secret != "" {
		if _, err := datadir.ParseSecret(c.Secret); err != nil {
			return usagef("--secret: %w", err)
		}
	}
	_, _, sites := c.siteList(c.Listen)
	_, keys := parseKeys("--write-keys", c.WriteKeys)
	_, queryKeys := c.queryKeyring()
	_, proxies := c.proxies()
	_, _, zones := c.zones()
	_, shards := c.siteOptions()
	headers := cmp.Or(validHeader("--country-header", c.CountryHeader), validHeader("--region-header", c.RegionHeader), validHeader("--city-header", c.CityHeader))
	return cmp.Or(sites, keys, queryKeys, proxies, zones, shards, headers)
}

func validHeader(flag, name string) error {
	if name != "" && !httpguts.ValidHeaderFieldName(name) {
		return usagef("%s: %q is not the name of a header, such as CF-IPCountry", flag, name)
	}
	return nil
}

// validAddr tells what is no address to listen on. Whether it can be had shows when it is tried.
func validAddr(flag, addr string) error {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return usagef("%s: %q is not HOST:PORT, such as 127.0.0.1:8080", flag, addr)
	}
	return nil
}
