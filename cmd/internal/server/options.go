package server

import (
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"millrace/cmd/internal/roles"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/internal/kafka"
	"millrace/internal/site"
)

// Options are the settings of a server. A field has no default unless its comment names one. In
// parentheses is the flag by which errors name the field.
type Options struct {
	// Roles are those of this process, one or more of package roles' names, each once (--roles).
	Roles []string
	// Listen is the address for beacons and queries, HOST:PORT (--listen). It is not used without
	// the roles collect and query.
	Listen string
	// TLSCert and TLSKey are PEM files of a certificate and its key, with which the public address
	// speaks TLS alone; they are read again when they change (--tls-cert, --tls-key). Default: plain
	// HTTP.
	TLSCert, TLSKey string
	// Admin is the address for operators, HOST:PORT (--admin).
	Admin string
	// AdminTLSCert and AdminTLSKey are for Admin what TLSCert and TLSKey are for Listen
	// (--admin-tls-cert, --admin-tls-key). Default: plain HTTP.
	AdminTLSCert, AdminTLSKey string
	// Data is the folder of this process, made if it is missing (--data).
	Data string
	// Influx is the URL of the InfluxDB that has the rollups (--influx). Default: a store in Data.
	Influx string
	// S3 is the address of the archive (--s3). Default: a folder in Data.
	S3 string

	Kafka     KafkaOptions
	Access    AccessOptions
	Collector CollectorOptions
	Engine    EngineOptions

	// ArchiveEvery is how often events are written to the archive, 1 s or more (--archive-every).
	ArchiveEvery time.Duration
	// Hits has the role archive also write hits and visits, rows for any query (--hits). It needs Engine.NewDeriver.
	Hits bool
	// AuditShare is the share of a processor core, 0 to 1, that the self-audit may use; 0: there is
	// none (--audit-share).
	AuditShare float64
	// Demo also sends made-up traffic for three sites to this server, and makes up their past at
	// the first start (--demo). It needs the role collect and Access.LoopbackTrust.
	Demo bool
	// Drain is how long to serve on after Run's context has ended, 0 to 10 min (--drain).
	Drain time.Duration
	// SkipDrain reports whether a stop does without Drain, by its cause: context.Cause of Run's
	// context. Default: none does.
	SkipDrain func(cause error) bool
	// Version names the program. Commands of another one may not use the rollup store beside this
	// server.
	Version string
	// Up is called once everything is up. It may be nil.
	Up func(Up)
	// Log takes what an operator should know. Required.
	Log *slog.Logger
}

// KafkaOptions select the log that the events go through.
type KafkaOptions struct {
	// Brokers are those to start from, HOST:PORT (--kafka). Default: a broker embedded in this
	// process, its log in the data folder.
	Brokers []string
	// Partitions is their number in each topic, 1 to 10,000 (--partitions). Default, 0: as many as the
	// topic of events has; if there is none, and with the embedded broker, 64 and 4.
	Partitions int32
	// Replication is the number of copies of topics that are made, 0 or more; 0: 3, or as many as
	// there are brokers (--replication). The embedded broker has one.
	Replication int16
	// Retention is how long events stay in the log at least, 1 h or more (--retention).
	Retention time.Duration
	// SessionTimeout is how long a member of a consumer group may be silent, 1 s or more
	// (--session-timeout). Default, 0: 20 s, and 6 s with Standby.
	SessionTimeout time.Duration
	// Security is how the brokers are connected to, and as whom (--kafka-tls, --kafka-sasl and what
	// belongs to them); nil is plain text without a login.
	Security *kafka.Security
	// Rack is where this process is, by broker.rack; "" is nowhere (--kafka-rack).
	Rack string
	// Names are what topics and groups are called (--topic-prefix). With a prefix Brokers are needed.
	Names kafka.Names
	// SyncWrites has the embedded broker sync each write to the disk (--sync-writes).
	SyncWrites bool
}

// AccessOptions decide who may send and query what, and what visitors are identified by.
type AccessOptions struct {
	// Sites is what is configured per site, and the keys (--sites, --write-keys, --query-keys,
	// --shards, --honour-dnt, --time-zone, --site-time-zones, --sites-file). Required.
	Sites *site.Sites
	// SitesFile is what Sites were read from, and is read again when its files change
	// (--sites-file). Default: Sites do not change.
	SitesFile *site.Source
	// LoopbackTrust trusts requests of this machine itself (--loopback-trust).
	LoopbackTrust bool
	// TrustedProxies are the networks whose X-Forwarded-For and headers of a place are believed
	// (--trusted-proxies).
	TrustedProxies []netip.Prefix
	// CountryHeader, RegionHeader and CityHeader are the headers of a place; "": none
	// (--country-header, --region-header, --city-header).
	CountryHeader, RegionHeader, CityHeader string
	// GeoMMDB are MaxMind DB files of cities (--geo-mmdb). Default: countries only, from a table
	// in the program.
	GeoMMDB []string
	// Secret is what visitor ids are keyed with, datadir.SecretSize bytes (--secret). Default:
	// that of the data folder.
	Secret []byte
}

// CollectorOptions configure how the collector batches and what it bears.
type CollectorOptions struct {
	// Linger is how long a batch waits for more events, 100 µs to 1 s (--linger).
	Linger time.Duration
	// MaxBody is the largest body of a request in bytes, as sent and unpacked, 1 KiB to 64 MiB
	// (--max-body).
	MaxBody int64
	// MaxPending bounds the memory in bytes for events that Kafka has not acknowledged, 64 KiB,
	// or MaxBody if that is more, to 64 GiB (--max-pending).
	MaxPending int64
	// Spool is the folder that keeps the events of clients that never send again while Kafka does not
	// take them (--spool). Default: a folder in Data.
	Spool string
	// SpoolMax is the most bytes of the spool, 64 KiB or more; 0: there is none (--spool-max).
	SpoolMax int64
	// SiteRate is the most events a second of one site; 0 is no limit (--site-rate).
	SiteRate float64
	// AddressRate is the most requests a second of one address (IPv6: /64); 0 is no limit
	// (--address-rate).
	AddressRate float64
	// NewSites is the most sites a minute that come up without being in Sites; 0 is no limit
	// (--new-sites).
	NewSites float64
	// ScriptPath is a path at which the page script is served besides /js/script.js, "" for none
	// (--script-path).
	ScriptPath string
}

// EngineOptions configure what is counted, and when windows fire.
type EngineOptions struct {
	// Grace is how long after its end a minute waits before its numbers are final, 1 ms or more
	// (--grace).
	Grace time.Duration
	// Lateness is how long after its end a minute still takes events in, 1 ms to 30 days
	// (--lateness).
	Lateness time.Duration
	// Early is how often the numbers of the running minute are updated; 0 is only once it is final
	// (--early).
	Early time.Duration
	// SilentAfter is how long a collector may be silent before the minutes no longer wait for it,
	// 1 ms or more (--silent-after).
	SilentAfter time.Duration
	// Standby also follows the state of the partitions that other processes have (--standby). It
	// needs KafkaOptions.Brokers and the role process.
	Standby bool
	// NewDeriver makes the deriver of a partition (--goals). Replay and import need the same.
	// Required with the role process, with Hits, and for Demo.
	NewDeriver func() engine.Deriver
}

// Up is what a server that is up reports of itself.
type Up struct {
	Data     string // absolute path of the data folder
	Listen   string // address that is listened on for beacons and queries, HOST:PORT; "" without
	URL      string // of Listen, for a client on this machine; "" likewise
	AdminURL string // of the operators' port, for a client on this machine
	DemoPast bool   // the demo's past was complete before this start
}

// has reports whether this process has a role.
func (o *Options) has(role string) bool { return slices.Contains(o.Roles, role) }

// usesKafka reports whether a role of this process reads or writes topics.
func (o *Options) usesKafka() bool {
	return o.has(roles.Collect) || o.has(roles.Process) || o.has(roles.Emit) || o.has(roles.Archive)
}

// standbySession is the session timeout with Standby: the least that brokers take. A takeover
// waits for it, and then for a second or two.
const standbySession = 6 * time.Second

// sessionTimeout is that of the consumer groups; 0 is package kafka's default.
func (o *Options) sessionTimeout() time.Duration {
	if o.Kafka.SessionTimeout == 0 && o.Engine.Standby {
		return standbySession
	}
	return o.Kafka.SessionTimeout
}

// Rules returns the engine's rules.
func (o EngineOptions) Rules() engine.Rules {
	r := engine.Rules{
		Grace:       msec(o.Grace),
		Lateness:    msec(o.Lateness),
		EarlyEvery:  msec(o.Early),
		SilentAfter: msec(o.SilentAfter),
	}
	if o.Early == 0 {
		r.EarlyEvery = -1
	}
	return r
}

func msec(d time.Duration) event.Time { return event.Time(d.Milliseconds()) }
