package server

import (
	"strings"
	"testing"
	"time"

	"millrace/cmd/internal/roles"
)

// TestValidate: all findings are reported at once, in a fixed order and in the words of the flags.
func TestValidate(t *testing.T) {
	f := func(change func(*Options), want ...string) {
		t.Helper()
		o := options("data")
		change(&o)
		got := ""
		if err := o.Validate(); err != nil {
			got = err.Error()
		}
		if got != strings.Join(want, "\n") {
			t.Errorf("%s\nwant\n%s", got, strings.Join(want, "\n"))
		}
	}
	f(func(*Options) {})
	f(func(o *Options) { o.Roles = nil }, "--roles: name at least one of collect, process, emit, archive, query")
	f(func(o *Options) {
		o.Roles, o.Kafka.Brokers = []string{"colect", roles.Query, roles.Query}, []string{"k:9092"}
	},
		`--roles: there is no role "colect", only collect, process, emit, archive, query`,
		"--roles: query is there twice",
		"--roles colect,query,query without --influx: the local rollup store serves one process only, which then has both emit and query")
	f(func(o *Options) { o.Roles = []string{roles.Process} },
		"--roles process without --kafka: the embedded broker serves one process only, which then has all roles")
	f(func(o *Options) {
		o.Demo, o.Access.LoopbackTrust = true, false
		o.Listen, o.Admin = ":8080", ":8080"
		o.Drain = 11 * time.Minute
		o.Kafka = KafkaOptions{Partitions: -1, Replication: -1, Retention: time.Minute, SessionTimeout: time.Millisecond}
		o.Engine = EngineOptions{Lateness: 31 * 24 * time.Hour, Early: -time.Second, Standby: true}
		o.ArchiveEvery = 0
		o.Collector = CollectorOptions{SiteRate: -1, AddressRate: -1, NewSites: -1, ScriptPath: "/api/event"}
	},
		"--demo needs --loopback-trust: it sends its visitors' addresses along",
		"--listen and --admin are both :8080: give one of them another port",
		"--drain: 11m is not from 0 to 10m",
		"--partitions: -1 is not between 1 and 10000",
		"--retention: 1m is less than 1h",
		"--session-timeout: 1ms is less than 1s",
		"--standby needs --kafka and the role process: it follows the state of other processes",
		"--replication: -1 is negative",
		"--early: -1s is negative",
		"--grace: 0s is less than 1ms",
		"--silent-after: 0s is less than 1ms",
		"--lateness: 31d is more than 30d",
		"--archive-every: 0s is less than 1s",
		"--linger: 0s is not between 100µs and 1s",
		"--max-body: 0 bytes are not between 1KiB and 64MiB",
		"--max-pending: 0 bytes are not between 64KiB, or --max-body if that is more, and 64GiB",
		"--site-rate: -1 is not between 0 and 1e+09",
		"--address-rate: -1 is not between 0 and 1e+09",
		"--new-sites: -1 is not between 0 and 1e+09",
		`--script-path: "/api/event" is no path of a script, such as /assets/pages.js: folders and a name of A-Z a-z 0-9 _ - . that ends in .js`)
	f(func(o *Options) { o.Kafka.Names.Prefix = "staging." }, "--topic-prefix needs --kafka: the embedded broker has no other topics")
	f(func(o *Options) { o.Kafka.Brokers, o.Kafka.Names.Prefix = []string{"k:9092"}, "staging" },
		`--topic-prefix: "staging" is not letters, digits, '.', '_' and '-' that begin with a letter or digit and end with one of the others, such as "staging."`)
	for _, path := range []string{"pages.js", "/.js", "/a//b.js", "/../b.js", "/a b.js", "/a/{b}.js", "/é.js", "/a.js/"} {
		f(func(o *Options) { o.Collector.ScriptPath = path },
			`--script-path: "`+path+`" is no path of a script, such as /assets/pages.js: folders and a name of A-Z a-z 0-9 _ - . that ends in .js`)
	}
	f(func(o *Options) { o.Collector.ScriptPath = "/assets/v2.1/pages.min.js" })
}
