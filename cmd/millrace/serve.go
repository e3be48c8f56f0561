package main

import (
	"cmp"
	"errors"
	"os"
	"time"

	"golang.org/x/net/http/httpguts"

	"millrace/cmd/internal/cli"
	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/demo"
	"millrace/cmd/internal/hostport"
	"millrace/cmd/internal/server"
	"millrace/internal/local"
	"millrace/internal/site"
	"millrace/query/statsapi"
)

// serveCommand runs the roles of the stream: collect, process, emit, archive, query.
type serveCommand struct {
	Roles     []string `default:"collect,process,emit,archive,query" group:"Process" help:"Roles of this process. collect takes beacons, process counts them, emit writes the numbers to the rollup store, archive keeps the events, query answers questions."`
	Listen    string   `default:"127.0.0.1:8080" group:"Process" help:"Address for beacons and questions."`
	TLSCert   string   `name:"tls-cert" placeholder:"FILE" group:"Process" help:"PEM file of a certificate, and of those that lead to its authority: --listen speaks TLS with it. Read again when it changes."`
	TLSKey    string   `name:"tls-key" placeholder:"FILE" group:"Process" help:"PEM file of the key of --tls-cert."`
	PublicURL string   `name:"public-url" placeholder:"URL" group:"Process" help:"Address under which browsers reach this server, such as https://stats.example.com, for the snippet and the commands that are printed. Default: that of --listen."`
	Admin     string   `default:"127.0.0.1:8081" group:"Process" help:"Address for /livez, /readyz, /metrics and profiles. On a loopback address it is for this machine alone; on another keep it from the public."`
	Demo      bool     `group:"Process" help:"Also send believable live traffic for three made-up sites to itself, and make up a month of their past at the first start."`

	AdminTLSCert string `name:"admin-tls-cert" placeholder:"FILE" group:"Process" help:"As --tls-cert, for --admin. It may be the same file."`
	AdminTLSKey  string `name:"admin-tls-key" placeholder:"FILE" group:"Process" help:"PEM file of the key of --admin-tls-cert."`

	Drain *time.Duration `placeholder:"DURATION" group:"Process" help:"How long to go on serving after SIGTERM, at most 10m, while /readyz is 503 already and balancers look away. Ctrl-C does not wait. Default: 5s where --listen is open to other machines, else 0."`

	storeFlags     `embed:""`
	kafkaFlags     `embed:""`
	accessFlags    `embed:""`
	collectorFlags `embed:""`
	engineFlags    `embed:""`
	countingFlags  `embed:""`
}

// collectorFlags configure how the collector batches and what it bears.
type collectorFlags struct {
	Linger      time.Duration     `default:"5ms" group:"Collector" help:"How long a batch waits for more events, 100µs to 1s. Each beacon's answer waits as long."`
	MaxBody     byteSize          `default:"1MiB" group:"Collector" help:"Largest body of a request, as sent and unpacked, 1KiB to 64MiB."`
	MaxPending  byteSize          `default:"64MiB" group:"Collector" help:"Memory for events that Kafka has not acknowledged, 64KiB to 64GiB; above it the answer is 503."`
	Spool       string            `placeholder:"FOLDER" group:"Collector" help:"Folder that keeps events of clients that never send again while Kafka does not take them, and of no other collector. Default: spool in --data."`
	SpoolMax    byteSize          `default:"1GiB" group:"Collector" help:"Most bytes of the spool, at least 64KiB; 0 is no spool. When it is full the answer is 503."`
	SiteRate    float64           `default:"0" group:"Collector" help:"Most events a second of one site; 0 is no limit."`
	NewSites    float64           `default:"500" group:"Collector" help:"Most sites a minute that come up without being named by --sites, with a burst of ten times as many; 0 is no limit. Those past it get 429, known ones go on."`
	AddressRate float64           `default:"0" group:"Collector" help:"Most requests a second of one address (IPv6: /64); 0 is no limit."`
	ScriptPath  string            `placeholder:"PATH" group:"Collector" help:"A path at which the page script is served besides /js/script.js, such as /assets/pages.js."`
	Shards      map[string]uint16 `placeholder:"SITE=N" group:"Collector" help:"Sites too large for one partition, such as giant.example.com=16: their visitors are spread over N parts, 2 to 256, which lie in up to as many partitions. Several with semicolons between them. The same at all collectors; a change splits the visits of that moment."`
}

// engineFlags configure when windows fire and files are cut.
type engineFlags struct {
	Grace        time.Duration `default:"2s" group:"Engine" help:"How long after its end a minute waits for stragglers before its numbers are final."`
	Lateness     time.Duration `default:"1h" group:"Engine" help:"How long after its end a minute still takes events in, at most 30d. Later ones are archived, and counted by replay."`
	Early        time.Duration `default:"5s" group:"Engine" help:"How often the numbers of the running minute are updated; 0 is only once it is final."`
	SilentAfter  time.Duration `default:"10s" group:"Engine" help:"How long a collector may be silent before the minutes no longer wait for it."`
	Standby      bool          `group:"Engine" help:"Also follow the state of the partitions that other processes have, to take them over within 10s when one dies. It costs the disk and the network of all partitions, and a session timeout of 6s."`
	ArchiveEvery time.Duration `default:"1m" group:"Engine" help:"How often events are written to the archive, at least 1s. Replay sees what has been written."`
	Hits         bool          `default:"true" negatable:"" group:"Engine" help:"Also write hits to the archive, a row for each event with all that is derived of it, and visits, for queries that no rollup answers. --no-hits: events alone, as they were sent."`
	AuditShare   float64       `default:"0.02" group:"Engine" help:"Share of a processor core with which numbers are counted again from the archive and compared, all day; 0 is not at all."`
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

Sizes are written 512KiB, 64MiB or 1GiB, durations 5ms, 2s, 1h, 1h30m, 7d or 2w.`
}

// Run serves until the process' context ends.
func (c *serveCommand) Run(p *process, logs *logFlags) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	cli.OutlivePipes()
	o.Log = logs.open(p.stderr)
	o.Up = func(up server.Up) { c.greet(p.stdout, up, o.Access.Sites) }
	return server.Run(p.ctx, *o)
}

// options returns the settings of the server: all but Log and Up. The error is about the
// first flag that is wrong.
func (c *serveCommand) options() (*server.Options, error) {
	partitions, err := c.partitions()
	if err != nil {
		return nil, err
	}
	access, accessErr := c.access()
	o := &server.Options{
		Roles: c.Roles, Listen: c.Listen, Admin: c.Admin, TLSCert: c.TLSCert, TLSKey: c.TLSKey,
		AdminTLSCert: c.AdminTLSCert, AdminTLSKey: c.AdminTLSKey,
		Data: c.Data, Influx: c.Influx, S3: c.S3,
		Kafka: server.KafkaOptions{
			Brokers: c.Kafka, Partitions: partitions, Replication: c.Replication, Retention: c.Retention,
			SessionTimeout: c.SessionTimeout, SyncWrites: c.SyncWrites, Security: c.security(), Rack: c.Rack, Names: c.names(),
		},
		Access: *access,
		Collector: server.CollectorOptions{
			Linger: c.Linger, MaxBody: int64(c.MaxBody), MaxPending: int64(c.MaxPending),
			Spool: c.Spool, SpoolMax: int64(c.SpoolMax),
			SiteRate: c.SiteRate, AddressRate: c.AddressRate, NewSites: c.NewSites,
			ScriptPath: c.ScriptPath,
		},
		Engine: server.EngineOptions{
			Grace: c.Grace, Lateness: c.Lateness, Early: c.Early, SilentAfter: c.SilentAfter, Standby: c.Standby,
		},
		ArchiveEvery: c.ArchiveEvery, Hits: c.Hits, AuditShare: c.AuditShare,
		Demo:      c.Demo,
		Drain:     c.drainFor(),
		SkipDrain: interrupted,
		Version:   version,
	}
	if err := first(o.Validate()); err != nil {
		return nil, usagef("%w", err)
	}
	err = cmp.Or(hostport.Listen("--listen", c.Listen, "8080"), hostport.Listen("--admin", c.Admin, "8081"),
		hostport.Brokers(c.Kafka), c.storeFlags.validate(), accessErr)
	if err != nil {
		return nil, err
	}
	if o.Access.Sites, o.Access.SitesFile, err = c.sites(c.Goals); err != nil {
		return nil, err
	}
	o.Engine.NewDeriver = deriverOf(o.Access.Sites)
	return o, nil
}

// first returns the first of joined errors: one mistake is shown at a time.
func first(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()[0]
	}
	return err
}

// interrupted reports whether Ctrl-C was typed: an operator waits for the prompt then.
func interrupted(cause error) bool {
	var s *cli.StopSignal
	return errors.As(cause, &s) && s.Signal == os.Interrupt
}

// access reads the flags of access, but for the goals. The error is about the first that is
// wrong; the rest is set even so.
func (c *serveCommand) access() (*server.AccessOptions, error) {
	secret, secretErr := c.secret()
	sites, _, sitesErr := c.sites("")
	proxies, proxiesErr := c.proxies()
	_, publicErr := publicURL(c.PublicURL)
	return &server.AccessOptions{
			Sites: sites, LoopbackTrust: c.LoopbackTrust, TrustedProxies: proxies,
			CountryHeader: c.CountryHeader, RegionHeader: c.RegionHeader, CityHeader: c.CityHeader,
			GeoMMDB: c.GeoMMDB, Secret: secret,
		}, cmp.Or(secretErr, sitesErr, proxiesErr, publicErr,
			validHeader("--country-header", c.CountryHeader), validHeader("--region-header", c.RegionHeader),
			validHeader("--city-header", c.CityHeader))
}

// secret returns the value of --secret, nil without it.
func (c *serveCommand) secret() ([]byte, error) {
	if c.Secret == "" {
		return nil, nil
	}
	secret, err := datadir.ParseSecret(c.Secret)
	if err != nil {
		return nil, usagef("--secret: %w", err)
	}
	return secret, nil
}

// sites reads what is configured per site, and returns what it was read from if that may change.
// Goals is the path of their file.
func (c *serveCommand) sites(goals string) (*site.Sites, *site.Source, error) {
	cfg := site.Config{
		Listen: c.Listen, Sites: c.Sites, Shards: c.Shards, HonourDNT: c.HonourDNT,
		TimeZone: c.TimeZone, TimeZones: c.SiteTimeZones, WriteKeys: c.WriteKeys, QueryKeys: c.QueryKeys, Goals: goals,
		File: c.SitesFile, Filters: statsapi.CheckFilters,
	}
	if c.Demo {
		cfg.More = demo.Sites()
	}
	source := site.NewSource(cfg)
	sites, _, err := source.Read()
	if err != nil {
		return nil, nil, usagef("%w", err)
	}
	if c.SitesFile == "" {
		source = nil
	}
	return sites, source, nil
}

// defaultDrain is for addresses that other machines reach: balancers probe every second or two,
// and Kubernetes tells its nodes of an endpoint that goes within about as long. With the stop
// itself it stays below the 30 s that Kubernetes waits.
const defaultDrain = 5 * time.Second

// drainFor returns how long to serve on after SIGTERM.
func (c *serveCommand) drainFor() time.Duration {
	switch {
	case c.Drain != nil:
		return *c.Drain
	case local.LoopbackAddress(c.Listen):
		return 0
	}
	return defaultDrain
}

func validHeader(flag, name string) error {
	if name != "" && !httpguts.ValidHeaderFieldName(name) {
		return usagef("%s: %q is not the name of a header, such as CF-IPCountry", flag, name)
	}
	return nil
}
