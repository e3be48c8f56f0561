package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"millrace/cmd/internal/cli"
	"millrace/cmd/internal/offline"
	"millrace/cmd/internal/stores"
	"millrace/internal/kafka"
)

// storeFlags are the addresses of the stores. serve, replay and import share them.
type storeFlags struct {
	Data   string `default:"./data" group:"Storage" help:"Folder for everything that is kept on this machine."`
	Influx string `placeholder:"URL" group:"Storage" help:"InfluxDB for the rollups, http://user:password@host:8086/database (1.x, 2.x and 3.x), with ?password-file=, ?token-file= and ?ca= for files. Default: a store in the data folder."`
	S3     string `name:"s3" env:"MILLRACE_S3" placeholder:"URL" group:"Storage" help:"Bucket for the archive, s3://key:secret@host:9000/bucket/prefix?region=…&tls=true&ca=FILE&style=host&credentials=FILE&profile=NAME. Without key and secret they are looked for as Amazon's programs do, AWS_ACCESS_KEY_ID first. Default: a folder in the data folder."`

	InfluxFile string `placeholder:"FILE" group:"Storage" help:"File with the value of --influx: other users of the machine can read arguments."`
	S3File     string `name:"s3-file" env:"MILLRACE_S3_FILE" placeholder:"FILE" group:"Storage" help:"File with the value of --s3."`
}

// offline returns the stores that a command uses, none of which it makes.
func (f *storeFlags) offline(log *slog.Logger) offline.Options {
	return offline.Options{Data: f.Data, Influx: f.Influx, S3: f.S3, Version: version, Log: log}
}

// validate finds what is no address of a store, before anything is opened or made.
func (f *storeFlags) validate() error {
	if err := stores.Validate(f.Influx, f.S3); err != nil {
		return usagef("%w", err)
	}
	return nil
}

// kafkaFlags select the log that the events go through.
type kafkaFlags struct {
	Kafka          []string      `placeholder:"HOST:PORT" group:"Kafka" help:"Brokers to start from. Default: a broker embedded in this process, its log in the data folder."`
	Partitions     *int32        `placeholder:"N" group:"Kafka" help:"Partitions of each topic, fixed once the topics are there. Each is one goroutine of the engine. Default: as many as they have; of topics that are made 64, and 4 in the embedded broker."`
	Replication    int16         `default:"0" group:"Kafka" help:"Copies of topics that are created; 0 means 3, or as many as there are brokers."`
	Retention      time.Duration `default:"24h" group:"Kafka" help:"How long events stay in the log at least. It bounds the outage of a store that loses nothing. A lower one changes no topic that is there."`
	SessionTimeout time.Duration `default:"0s" group:"Kafka" help:"How long a process may be silent before its partitions go to others; 0 is 20s, and 6s with --standby. Brokers take 6s to 30m by default."`
	topicFlags     `embed:""`
	brokerFlags    `embed:"" prefix:"kafka-"`
	SyncWrites     bool `group:"Kafka" help:"Embedded broker: sync each write to the disk before the beacon is answered. Without it a power loss, but no crash, may lose the last seconds."`
}

// partitions returns the number that is given, 0 for none.
func (f *kafkaFlags) partitions() (int32, error) {
	switch {
	case f.Partitions == nil:
		return 0, nil
	case *f.Partitions == 0:
		return 0, usagef("--partitions: 0 is not between 1 and 10000")
	}
	return *f.Partitions, nil
}

// topicFlags say what topics and groups of --kafka are called. All commands that use them share them.
type topicFlags struct {
	TopicPrefix string `placeholder:"PREFIX" group:"Kafka" help:"What goes before the names of all topics and consumer groups, such as staging., so that several installations share a cluster. Each needs a data folder, an archive and an InfluxDB database of its own."`
}

func (f *topicFlags) names() kafka.Names { return kafka.Names{Prefix: f.TopicPrefix} }

// brokerFlags say how brokers of --kafka are connected to, and as whom. All commands that do it share them.
type brokerFlags struct {
	TLS            bool              `name:"tls" group:"Kafka" help:"Connect to the brokers by TLS. The other --kafka-tls-… imply it."`
	TLSCA          string            `name:"tls-ca" placeholder:"FILE" group:"Kafka" help:"Certificates of the authorities of the brokers, in PEM. Default: the system's. Files of certificates and tokens are read again for each connection."`
	TLSCert        string            `name:"tls-cert" placeholder:"FILE" group:"Kafka" help:"Certificate that is shown to the brokers, in PEM."`
	TLSKey         string            `name:"tls-key" placeholder:"FILE" group:"Kafka" help:"Key of --kafka-tls-cert, in PEM."`
	TLSServerName  string            `name:"tls-server-name" placeholder:"NAME" group:"Kafka" help:"Name that the brokers' certificates have. Default: the host of each broker's address."`
	SASL           string            `name:"sasl" placeholder:"HOW" group:"Kafka" help:"How to log in: plain, scram-sha-256, scram-sha-512 or oauthbearer. Default: not at all."`
	User           string            `placeholder:"NAME" group:"Kafka" help:"User of --kafka-sasl; with --kafka-token-url the client's id."`
	Password       string            `placeholder:"TEXT" group:"Kafka" help:"Password of --kafka-user; with --kafka-token-url the client's secret."`
	PasswordFile   string            `placeholder:"FILE" group:"Kafka" help:"File with the value of --kafka-password: other users of the machine can read arguments."`
	TokenFile      string            `placeholder:"FILE" group:"Kafka" help:"File with the token of oauthbearer, which another program renews."`
	TokenURL       string            `name:"token-url" placeholder:"URL" group:"Kafka" help:"Where tokens of oauthbearer are requested, by OAuth's client credentials."`
	TokenScope     string            `placeholder:"TEXT" group:"Kafka" help:"Scope of the tokens that are requested."`
	SASLExtensions map[string]string `name:"sasl-extensions" placeholder:"KEY=VALUE" group:"Kafka" help:"What goes along with a token, such as logicalCluster=lkc-1; several with semicolons between them."`
	Rack           string            `placeholder:"NAME" group:"Kafka" help:"Where this process is, by the brokers' broker.rack, so that it reads from the nearest copy."`
}

func (f *brokerFlags) security() *kafka.Security {
	return &kafka.Security{
		TLS: f.TLS, CA: f.TLSCA, Cert: f.TLSCert, Key: f.TLSKey, ServerName: f.TLSServerName, SASL: f.SASL, User: f.User, Password: f.Password,
		PasswordFile: f.PasswordFile, TokenFile: f.TokenFile, TokenURL: f.TokenURL, Scope: f.TokenScope, Extensions: f.SASLExtensions,
	}
}

// accessFlags decide who may send and query what.
type accessFlags struct {
	Sites          []string          `placeholder:"SITE" group:"Access" help:"Sites whose events are taken, or \"any\". Default: any on a loopback address; elsewhere it has to be said."`
	WriteKeys      []string          `placeholder:"KEY" group:"Access" help:"Keys of trusted senders, who may give time, address, user agent and visitor. KEY or sha256:HEX, and @site+site if it is good for some sites only."`
	QueryKeys      []string          `placeholder:"KEY" group:"Access" help:"Keys for the query API, written like write keys, or \"any\" for everybody. Default: this machine may query without one, if it is trusted (--loopback-trust), and no one else, also not through a proxy on it."`
	TrustedProxies []string          `placeholder:"CIDR" group:"Access" help:"Proxies whose X-Forwarded-For and headers of a place are believed. Without it all clients of a proxy count as one visitor."`
	LoopbackTrust  bool              `default:"true" negatable:"" group:"Access" help:"Trust who sends or queries from this machine itself, through no proxy and from no page. Switch it off behind a local proxy that adds no X-Forwarded-For."`
	CountryHeader  string            `placeholder:"NAME" group:"Access" help:"Header in which a trusted proxy tells the country, such as CF-IPCountry."`
	RegionHeader   string            `placeholder:"NAME" group:"Access" help:"Header in which a trusted proxy tells the region, as an ISO 3166-2 code with or without the country."`
	CityHeader     string            `placeholder:"NAME" group:"Access" help:"Header in which a trusted proxy tells the city, as a GeoNames id or a name."`
	GeoMMDB        []string          `name:"geo-mmdb" placeholder:"FILE" group:"Access" help:"MaxMind DB file of cities, such as GeoLite2-City.mmdb, for what no header tells, and for names of regions and cities in answers. Of several, with commas between them, each fills in what those before it lack. Read again when one changes. Default: countries only, from a table in the program."`
	Secret         string            `placeholder:"HEX" group:"Access" help:"Secret of 64 hexadecimal digits for what of visitors is the same for ever: their names, if trusted senders give some. All collectors of a cluster share it. Default: one in the data folder."`
	HonourDNT      bool              `name:"honour-dnt" group:"Access" help:"Drop events of browsers that send DNT: 1 or Sec-GPC: 1."`
	TimeZone       string            `default:"UTC" group:"Access" help:"IANA time zone of days and hours in answers."`
	WriteKeysFile  string            `placeholder:"FILE" group:"Access" help:"File with the values of --write-keys, one a line: other users of the machine can read arguments."`
	QueryKeysFile  string            `placeholder:"FILE" group:"Access" help:"File with the values of --query-keys, one a line."`
	SecretFile     string            `placeholder:"FILE" group:"Access" help:"File with the value of --secret."`
	SiteTimeZones  map[string]string `placeholder:"SITE=ZONE" group:"Access" help:"Time zones of single sites, such as shop.example.com=Europe/Berlin; several with semicolons between them."`
}

// proxies reads --trusted-proxies: networks, or single addresses.
func (f *accessFlags) proxies() ([]netip.Prefix, error) {
	var nets []netip.Prefix
	for _, text := range f.TrustedProxies {
		if words := strings.Fields(strings.Join(f.TrustedProxies, " ")); strings.ContainsAny(text, " \t") {
			return nil, usagef("--trusted-proxies: %q has a blank; write %s", text, strings.Join(words, ","))
		}
		if text == "localhost" {
			return nil, usagef("--trusted-proxies: localhost is a name; write 127.0.0.1,::1")
		}
		if addr, err := netip.ParseAddr(text); err == nil {
			nets = append(nets, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, usagef("--trusted-proxies: %q is neither an address nor a network such as 10.0.0.0/8", text)
		}
		nets = append(nets, p.Masked())
	}
	return nets, nil
}

type byteSize = cli.ByteSize

// logFlags configure the log. The log goes to the standard error stream.
type logFlags struct {
	Level  logLevel `default:"info" help:"Least level that is logged: debug, info, warn or error."`
	Format string   `default:"text" enum:"text,json" help:"Form of a line: text or json."`
}

// logLevel is a level as the help names it.
type logLevel slog.Level

// UnmarshalText is what flags, environment and config file are read by.
func (l *logLevel) UnmarshalText(text []byte) error {
	if (*slog.Level)(l).UnmarshalText(text) != nil {
		return fmt.Errorf("%q is not debug, info, warn or error", text)
	}
	return nil
}

func (f *logFlags) open(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.Level(f.Level)}
	if f.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
