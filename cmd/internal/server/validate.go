package server

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"millrace/cmd/internal/duration"
	"millrace/cmd/internal/roles"
	"millrace/ingest"
	"millrace/ingest/spool"
	"millrace/internal/kafka"
)

// findings are what is wrong with options, in the words of serve's flags.
type findings []error

func (f *findings) add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

// Validate returns what is wrong with the options and can be seen without opening anything:
// errors.Join of one error for each finding, or nil. Addresses are not checked; who reads them
// from text has done that.
func (o *Options) Validate() error {
	var f findings
	o.validateRoles(&f)
	o.validateServing(&f)
	o.validateKafka(&f)
	o.Engine.validate(&f)
	if o.ArchiveEvery < time.Second {
		f.add("--archive-every: %s is less than 1s", duration.Text(o.ArchiveEvery))
	}
	if o.AuditShare < 0 || o.AuditShare > 1 {
		f.add("--audit-share: %v is not from 0 to 1", o.AuditShare)
	}
	o.Collector.validate(&f)
	return errors.Join(f...)
}

func (o *Options) validateRoles(f *findings) {
	for i, r := range o.Roles {
		if !slices.Contains(roles.All(), r) {
			f.add("--roles: there is no role %q, only %s", r, strings.Join(roles.All(), ", "))
		}
		if slices.Contains(o.Roles[:i], r) {
			f.add("--roles: %s is there twice", r)
		}
	}
	if len(o.Roles) == 0 {
		f.add("--roles: name at least one of %s", strings.Join(roles.All(), ", "))
	}
	if o.Demo && !o.has(roles.Collect) {
		f.add("--demo needs the role %s", roles.Collect)
	}
	if o.Demo && !o.Access.LoopbackTrust {
		f.add("--demo needs --loopback-trust: it sends its visitors' addresses along")
	}
}

// mostDrain bounds Options.Drain.
const mostDrain = 10 * time.Minute

func (o *Options) validateServing(f *findings) {
	_, port, err := net.SplitHostPort(o.Listen)
	if err == nil && port != "0" && o.Listen == o.Admin && (o.has(roles.Collect) || o.has(roles.Query)) {
		f.add("--listen and --admin are both %s: give one of them another port", o.Listen)
	}
	if (o.TLSCert == "") != (o.TLSKey == "") {
		f.add("--tls-cert and --tls-key go together; they may name one file that has both")
	}
	if (o.AdminTLSCert == "") != (o.AdminTLSKey == "") {
		f.add("--admin-tls-cert and --admin-tls-key go together; they may name one file that has both, and those of --tls-cert and --tls-key")
	}
	if o.TLSCert != "" && o.Demo {
		f.add("--demo sends its traffic to this server in plain HTTP: leave out --tls-cert and --tls-key")
	}
	if o.Drain < 0 || o.Drain > mostDrain {
		f.add("--drain: %s is not from 0 to 10m", duration.Text(o.Drain))
	}
}

func (o *Options) validateKafka(f *findings) {
	k, names := &o.Kafka, strings.Join(o.Roles, ",")
	embedded := len(k.Brokers) == 0
	if embedded && o.usesKafka() && len(o.Roles) < len(roles.All()) {
		f.add("--roles %s without --kafka: the embedded broker serves one process only, which then has all roles", names)
	}
	if !embedded && o.Influx == "" && o.has(roles.Emit) != o.has(roles.Query) {
		f.add("--roles %s without --influx: the local rollup store serves one process only, which then has both %s and %s",
			names, roles.Emit, roles.Query)
	}
	if !embedded && o.S3 == "" && o.has(roles.Archive) && len(o.Roles) < len(roles.All()) {
		f.add("--roles %s without --s3: processes with the role %s share one archive; name a bucket, or a folder that all of them see (file:///FOLDER)",
			names, roles.Archive)
	}
	if k.Partitions < 0 || k.Partitions > 10_000 {
		f.add("--partitions: %d is not between 1 and 10000", k.Partitions)
	}
	if k.Retention < time.Hour {
		f.add("--retention: %s is less than 1h", duration.Text(k.Retention))
	}
	if k.SessionTimeout != 0 && k.SessionTimeout < time.Second {
		f.add("--session-timeout: %s is less than 1s", duration.Text(k.SessionTimeout))
	}
	if o.Engine.Standby && (embedded || !o.has(roles.Process)) {
		f.add("--standby needs --kafka and the role %s: it follows the state of other processes", roles.Process)
	}
	at := kafka.Cluster{Brokers: k.Brokers, Security: k.Security, Rack: k.Rack, Names: k.Names}
	if wrong, ok := at.Validate().(interface{ Unwrap() []error }); ok {
		*f = append(*f, wrong.Unwrap()...)
	}
	if k.Replication < 0 {
		f.add("--replication: %d is negative", k.Replication)
	}
}

// validate finds what makes no sense, and the zeros that the engine takes for its own defaults.
func (o *EngineOptions) validate(f *findings) {
	before := len(*f)
	if o.Early < 0 {
		f.add("--early: %s is negative", duration.Text(o.Early))
	}
	least := func(flag string, d time.Duration) {
		if d < time.Millisecond {
			f.add("%s: %s is less than 1ms", flag, duration.Text(d))
		}
	}
	least("--grace", o.Grace)
	least("--lateness", o.Lateness)
	least("--silent-after", o.SilentAfter)
	const most = 30 * duration.Day // as the engine has it
	if o.Lateness > most {
		f.add("--lateness: %s is more than %s", duration.Text(o.Lateness), duration.Text(most))
	}
	// The rules' own finding would repeat one of these.
	if err := o.Rules().Validate(); err != nil && len(*f) == before {
		*f = append(*f, err)
	}
}

// validate finds what ingest would refuse by the names of its options, once stores are open, and
// the zeros that it takes for its own defaults.
func (o *CollectorOptions) validate(f *findings) {
	if o.Linger < ingest.LeastLinger || o.Linger > ingest.MostLinger {
		f.add("--linger: %s is not between 100µs and 1s", duration.Text(o.Linger))
	}
	if o.MaxBody < ingest.LeastBody || o.MaxBody > ingest.MostBody {
		f.add("--max-body: %d bytes are not between 1KiB and 64MiB", o.MaxBody)
	}
	if o.MaxPending < max(o.MaxBody, ingest.LeastPending) || o.MaxPending > ingest.MostPending {
		f.add("--max-pending: %d bytes are not between 64KiB, or --max-body if that is more, and 64GiB", o.MaxPending)
	}
	if o.SpoolMax != 0 && o.SpoolMax < spool.LeastBytes {
		f.add("--spool-max: %d bytes are less than 64KiB; 0 is no spool", o.SpoolMax)
	}
	rate := func(flag string, v float64) {
		if !(v >= 0 && v <= ingest.MostRate) { // NaN is not within anything
			f.add("%s: %v is not between 0 and %v", flag, v, ingest.MostRate)
		}
	}
	rate("--site-rate", o.SiteRate)
	rate("--address-rate", o.AddressRate)
	rate("--new-sites", o.NewSites)
	if o.ScriptPath != "" && !scriptPath.MatchString(o.ScriptPath) {
		f.add("--script-path: %q is no path of a script, such as /assets/pages.js: folders and a name of A-Z a-z 0-9 _ - . that ends in .js", o.ScriptPath)
	}
}

// scriptPath matches paths that no endpoint of a tracker or of the query API has.
var scriptPath = regexp.MustCompile(`^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*/[A-Za-z0-9_-][A-Za-z0-9._-]*\.js$`)
