package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"millrace/engine/event"
	"millrace/query"
)

// storeFlags say where what is kept is kept. serve, replay and import share them.
type storeFlags struct {
	Data   string `default:"./data" group:"Storage" help:"Folder for everything that is kept on this machine."`
	Influx string `placeholder:"URL" group:"Storage" help:"InfluxDB for the rollups, http://user:password@host:8086/database (1.x, 2.x and 3.x). Default: a store in the data folder."`
	S3     string `name:"s3" env:"MILLRACE_S3" placeholder:"URL" group:"Storage" help:"Bucket for the archive, s3://key:secret@host:9000/bucket/prefix?region=…&tls=true. Default: a folder in the data folder."`
}

// kafkaFlags say which log the events go through.
type kafkaFlags struct {
	Kafka          []string      `placeholder:"HOST:PORT" group:"Kafka" help:"Brokers to start from. Default: a broker embedded in this process, its log in the data folder."`
	Partitions     int32         `default:"4" group:"Kafka" help:"Partitions of each topic, fixed once the topics are there. Each is one goroutine of the engine."`
	Replication    int16         `default:"0" group:"Kafka" help:"Copies of topics that are created; 0 means 3, or as many as there are brokers."`
	Retention      time.Duration `default:"24h" group:"Kafka" help:"How long events stay in the log at least. It bounds the outage of a store that loses nothing. A lower one changes no topic that is there."`
	SessionTimeout time.Duration `default:"0s" group:"Kafka" help:"How long a process may be silent before its partitions go to others; 0 is 20s, and 6s with --standby. Brokers take 6s to 30m by default."`
	SyncWrites     bool          `group:"Kafka" help:"Embedded broker: sync each write to the disk before the beacon is answered. Without it a power loss, but no crash, may lose the last seconds."`
}

// accessFlags say who may send and ask what.
type accessFlags struct {
	Sites          []string          `placeholder:"SITE" group:"Access" help:"Sites whose events are taken, or \"any\". Default: any on a loopback address; elsewhere it has to be said."`
	WriteKeys      []string          `placeholder:"KEY" group:"Access" help:"Keys of trusted senders, who may give time, address, user agent and visitor. KEY or sha256:HEX, and @site+site if it is good for some sites only."`
	QueryKeys      []string          `placeholder:"KEY" group:"Access" help:"Keys for the query API, written like write keys, or \"any\" for everybody. Default: this machine may ask without one, nobody else."`
	TrustedProxies []string          `placeholder:"CIDR" group:"Access" help:"Proxies whose X-Forwarded-For and headers of a place are believed."`
	LoopbackTrust  bool              `default:"true" negatable:"" group:"Access" help:"Trust senders on this machine. Switch it off behind a local proxy that adds no X-Forwarded-For."`
	CountryHeader  string            `placeholder:"NAME" group:"Access" help:"Header in which a trusted proxy tells the country, such as CF-IPCountry."`
	RegionHeader   string            `placeholder:"NAME" group:"Access" help:"Header in which a trusted proxy tells the region, as an ISO 3166-2 code with or without the country."`
	CityHeader     string            `placeholder:"NAME" group:"Access" help:"Header in which a trusted proxy tells the city, as a GeoNames id or a name."`
	GeoMMDB        string            `name:"geo-mmdb" placeholder:"FILE" group:"Access" help:"MaxMind DB file of cities, such as GeoLite2-City.mmdb, for what no header tells, and for names of regions and cities in answers. Read again when it changes. Default: countries only, from a table in the program."`
	Secret         string            `placeholder:"HEX" group:"Access" help:"Secret of 64 hexadecimal digits for visitor ids; all collectors of a cluster share it. Default: one in the data folder."`
	HonourDNT      bool              `name:"honour-dnt" group:"Access" help:"Drop events of browsers that send DNT: 1 or Sec-GPC: 1."`
	TimeZone       string            `default:"UTC" group:"Access" help:"IANA time zone of days and hours in answers."`
	SiteTimeZones  map[string]string `placeholder:"SITE=ZONE" group:"Access" help:"Time zones of single sites, such as shop.example.com=Europe/Berlin; several with semicolons between them."`
}

// anyone is what --sites and --query-keys say for no list.
const anyone = "any"

// siteList returns the sites that are accepted; any is true if all are. An address that others can reach demands a word
// about it: an open collector is an invitation.
func (f *accessFlags) siteList(listenAddr string) (sites []string, any bool, err error) {
	if len(f.Sites) == 0 {
		if !isLoopback(listenAddr) {
			return nil, false, usagef("--sites: %s can be reached from other machines, so name the sites to take events of (--sites shop.example.com,blog.example.com), or say --sites any", listenAddr)
		}
		return nil, true, nil
	}
	if slices.Contains(f.Sites, anyone) {
		if len(f.Sites) > 1 {
			return nil, false, usagef("--sites: either a list or %q, not both", anyone)
		}
		return nil, true, nil
	}
	for _, s := range f.Sites {
		if err := event.ValidSite(s); err != nil {
			return nil, false, usagef("--sites: %w", err)
		}
	}
	return f.Sites, false, nil
}

// key is an API key as configured: only its hash is kept.
type key struct {
	hash  [sha256.Size]byte
	sites []string // none: all
}

// parseKeys reads --write-keys and --query-keys.
func parseKeys(flag string, texts []string) ([]key, error) {
	var keys []key
	for i, text := range texts {
		k, err := parseKey(text)
		if err != nil {
			return nil, usagef("%s: key %d: %w", flag, i+1, err) // the key itself is a secret
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// queryKeyring returns the keys of the query API; nil lets everybody in.
func (f *accessFlags) queryKeyring() (query.Keys, error) {
	if len(f.QueryKeys) == 0 || slices.Equal(f.QueryKeys, []string{anyone}) {
		return nil, nil
	}
	keys, err := parseKeys("--query-keys", f.QueryKeys)
	if err != nil {
		return nil, err
	}
	ring := make(query.KeyRing, len(keys))
	for i, k := range keys {
		ring[i] = query.Key{SHA256: k.hash, Sites: k.sites}
	}
	return ring, nil
}

func parseKey(text string) (key, error) {
	const leastLen = 16
	var k key
	word, sites, scoped := strings.Cut(text, "@")
	if scoped {
		k.sites = strings.Split(sites, "+")
		for _, s := range k.sites {
			if err := event.ValidSite(s); err != nil {
				return key{}, err
			}
		}
	}
	if digits, ok := strings.CutPrefix(word, "sha256:"); ok {
		sum, err := hex.DecodeString(digits)
		if err != nil || len(sum) != sha256.Size {
			return key{}, errors.New("behind sha256: there are not 64 hexadecimal digits")
		}
		copy(k.hash[:], sum)
		return k, nil
	}
	if len(word) < leastLen {
		return key{}, fmt.Errorf("shorter than %d characters; make one with: openssl rand -hex 32", leastLen)
	}
	k.hash = sha256.Sum256([]byte(word))
	return k, nil
}

// zones returns the default time zone and those of single sites.
func (f *accessFlags) zones() (*time.Location, map[string]*time.Location, error) {
	def, err := zone(f.TimeZone)
	if err != nil {
		return nil, nil, usagef("--time-zone: %q is not a time zone such as Europe/Berlin", f.TimeZone)
	}
	zones := map[string]*time.Location{}
	for site, name := range f.SiteTimeZones {
		if err := event.ValidSite(site); err != nil {
			return nil, nil, usagef("--site-time-zones: %w", err)
		}
		if zones[site], err = zone(name); err != nil {
			return nil, nil, usagef("--site-time-zones: site %s: %q is not a time zone such as Europe/Berlin", site, name)
		}
	}
	return def, zones, nil
}

// zone is that of an IANA name: "Local" would be the machine's, and "" is nothing that somebody chose.
func zone(name string) (*time.Location, error) {
	if name == "" || name == time.Local.String() {
		return nil, errors.New("no name of IANA's")
	}
	return time.LoadLocation(name)
}

// proxies reads --trusted-proxies: networks, or single addresses.
func (f *accessFlags) proxies() ([]netip.Prefix, error) {
	var nets []netip.Prefix
	for _, text := range f.TrustedProxies {
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

// isLoopback tells whether only this machine can connect to a listening address.
func isLoopback(addr string) bool {
	host := addr
	if i := strings.LastIndexByte(addr, ':'); i >= 0 {
		host = strings.Trim(addr[:i], "[]")
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// byteSize is a number of bytes, written as 1048576, 512KiB, 64MiB or 1GiB.
type byteSize int64

var byteUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}

// UnmarshalText is what flags, environment and config file are read by.
func (b *byteSize) UnmarshalText(text []byte) error {
	s, unit := string(text), int64(1)
	for _, u := range byteUnits {
		if digits, ok := strings.CutSuffix(s, u.suffix); ok {
			s, unit = digits, u.bytes
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return fmt.Errorf("%q is not a size such as 512KiB, 64MiB or 1GiB", text)
	}
	*b = byteSize(n * unit)
	return nil
}

// logFlags say what is logged. The log goes to the standard error stream.
type logFlags struct {
	Level  slog.Level `default:"info" help:"Least level that is logged: debug, info, warn or error."`
	Format string     `default:"text" enum:"text,json" help:"Form of a line: text or json."`
}

func (f *logFlags) open(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: f.Level}
	if f.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
