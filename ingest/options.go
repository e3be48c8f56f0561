package ingest

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/protocol"
	"millrace/ingest/spool"
	"millrace/internal/site"
)

// What an operator may set is within these bounds.
const (
	LeastLinger, MostLinger   = 100 * time.Microsecond, time.Second
	LeastBody, MostBody       = 1 << 10, 64 << 20  // bytes
	LeastPending, MostPending = 64 << 10, 64 << 30 // bytes
	MostRate                  = 1e9                // a second
)

// Options configure a Collector. The zero value of a field means its default.
type Options struct {
	// Topic is the topic of events. Default event.Topic.
	Topic string
	// Partitions is the number of partitions the topic must have, 1 to 100,000. Open compares. Default
	// 0: as many as the topic has.
	Partitions int32
	// Kafka are options of the client, at least kgo.SeedBrokers. What the promises rest on (acks,
	// idempotence, partitioning, time limits) can't be changed by them. Required.
	Kafka []kgo.Opt
	// CollectorID names this collector in its records, 1 to 32 of a-z 0-9 - . It must be stable over
	// restarts and unique among the collectors of a topic. Required.
	CollectorID string
	// Secret is what visitors with ids of their own are hashed under, identity.SecretLen bytes.
	// Collectors of one topic share it. Required.
	Secret []byte
	// Salts are what all others are hashed under, by date; package salt makes them. Collectors of
	// one topic share them too. Required.
	Salts identity.Salts

	// Protocols are the protocols that the collector speaks. Required; package all has the list of
	// those there are.
	Protocols []protocol.Protocol

	// Sites are the sites with settings of their own. Without AnySite, and unless Sites is empty, no
	// others are accepted.
	Sites []site.Site
	// AnySite accepts events of any site id even if Sites is not empty.
	AnySite bool
	// Unnamed are sites with settings of their own that are not taken by name: AnySite decides.
	Unnamed []site.Site
	// Default has the settings of all other sites.
	Default site.Site
	// Quotas is the path of the file in which the counts of quotas are kept over restarts. Default "":
	// they begin anew.
	Quotas string

	// WriteKeys are the keys of trusted callers.
	WriteKeys site.Keys
	// NoLoopbackTrust treats callers from the loopback interface like all others.
	NoLoopbackTrust bool
	// TrustedProxies are the networks whose X-Forwarded-For and headers of a place are believed.
	// Default none.
	TrustedProxies identity.Proxies
	// CountryHeader is the header by which a trusted proxy tells the country of the client, such as
	// "CF-IPCountry". Default "": look the address up.
	CountryHeader string
	// RegionHeader and CityHeader are those by which a trusted proxy tells region and city: a code of
	// ISO 3166-2 with or without the country before it, and a GeoNames id or a name, which may be
	// URL-encoded. Default "".
	RegionHeader, CityHeader string
	// Places looks up what trusted proxies do not say. Default nil: there is only the table of
	// countries in the program.
	Places identity.Places

	// Linger is how long a batch waits for more events, 0.1 ms to 1 s. Default 5 ms: longer costs each
	// client that time, shorter makes records of a few events, which the engine processes at a third
	// of the speed.
	Linger time.Duration
	// MaxRecordEvents is the number of events a record is sent at, 1 to 10,000. Default 100.
	MaxRecordEvents int
	// MaxRecordBytes is the size a record is sent at, 1 KiB to 768 KiB; with the event that crosses it
	// a record stays below the 1 MB that brokers accept. Default 512 KiB.
	MaxRecordBytes int
	// AckTimeout is how long a request waits for Kafka before it is answered with 503, 1 s to 2 min.
	// Default 10 s.
	AckTimeout time.Duration
	// TickEvery is the time between ticks, 10 ms to 10 s. Default 1 s. Windows fire that much later at
	// worst.
	TickEvery time.Duration

	// MaxBodyBytes is the largest body, as sent and unpacked, 1 KiB to 64 MiB. Default 1 MiB.
	MaxBodyBytes int
	// MaxPendingBytes bounds bodies being read and events not yet acknowledged, as they are encoded
	// and with 1 KiB for each record, 64 KiB to 64 GiB; at least MaxBodyBytes. Default 64 MiB. It is
	// never exceeded, but by a request that is larger than it: that one is let through when it is
	// alone. An event that is much longer than its body (a long user agent comes with each) is
	// reserved at its full length.
	MaxPendingBytes int64

	// Spool is where events of clients that never send again are kept while Kafka does not take them.
	// Its folder belongs to the collector. Default nil: they are refused with 503 as all others are.
	Spool *spool.Options

	// SiteRate is the most events a second of one site, AddressRate the most requests a second of one
	// address (IPv6: /64). A burst of twice the rate is let through. Default 0: no limit.
	SiteRate, AddressRate float64
	// NewSites is the most sites a minute that come up without being in Sites, with a burst of ten
	// minutes' worth. A site is known for a day or two after its last event, but not to another
	// collector, nor after a restart. Default 0: no limit.
	NewSites float64

	// Log takes what the operator should know. Default: nothing is logged.
	Log *slog.Logger
	// Metrics is where the collector's metrics are registered. Default: nowhere.
	Metrics prometheus.Registerer
	// Now is the clock that stamps events. Default time.Now.
	Now func() time.Time
	// Elapsed is a monotonic clock, from any zero, with which Now is compared. Default: that of the
	// process.
	Elapsed func() time.Duration
}

// withDefaults returns a copy with defaults filled in.
func (o Options) withDefaults() Options {
	def(&o.Topic, event.Topic)
	def(&o.Linger, 5*time.Millisecond)
	def(&o.MaxRecordEvents, 100)
	def(&o.MaxRecordBytes, 512<<10)
	def(&o.AckTimeout, 10*time.Second)
	def(&o.TickEvery, time.Second)
	def(&o.MaxBodyBytes, 1<<20)
	def(&o.MaxPendingBytes, 64<<20)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Elapsed == nil {
		o.Elapsed = sinceStart()
	}
	return o
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Validate reports everything that is wrong with the options, defaults filled in, as one error.
func (o Options) Validate() error {
	o = o.withDefaults()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(o.Kafka) == 0 {
		bad("Kafka: at least kgo.SeedBrokers is needed")
	}
	if !validCollectorID(o.CollectorID) {
		bad("CollectorID: %q is not 1 to 32 of a-z 0-9 -", o.CollectorID)
	}
	if len(o.Secret) != identity.SecretLen {
		bad("Secret: %d bytes, want %d", len(o.Secret), identity.SecretLen)
	}
	if o.Salts == nil {
		bad("Salts: are needed")
	}
	if len(o.Protocols) == 0 {
		bad("Protocols: at least one is needed")
	}
	if err := protocol.Validate(o.Protocols); err != nil {
		bad("Protocols: %w", err)
	}
	checkSites(bad, o.Sites)
	for i, p := range o.TrustedProxies {
		if !p.IsValid() {
			bad("TrustedProxies[%d]: not a network", i)
		} else if p.Bits() == 0 {
			bad("TrustedProxies[%d]: %s trusts everybody's X-Forwarded-For", i, p)
		}
	}
	within(bad, "Partitions", o.Partitions, 0, 100_000)
	within(bad, "Linger", o.Linger, LeastLinger, MostLinger)
	within(bad, "MaxRecordEvents", o.MaxRecordEvents, 1, 10_000)
	within(bad, "MaxRecordBytes", o.MaxRecordBytes, 1<<10, 768<<10)
	within(bad, "AckTimeout", o.AckTimeout, time.Second, 2*time.Minute)
	within(bad, "TickEvery", o.TickEvery, 10*time.Millisecond, 10*time.Second)
	within(bad, "MaxBodyBytes", o.MaxBodyBytes, LeastBody, MostBody)
	within(bad, "MaxPendingBytes", o.MaxPendingBytes, LeastPending, MostPending)
	if int64(o.MaxBodyBytes) > o.MaxPendingBytes {
		bad("MaxPendingBytes: %d is less than MaxBodyBytes %d", o.MaxPendingBytes, o.MaxBodyBytes)
	}
	if s := o.Spool; s != nil && (s.Dir == "" || s.MaxBytes < spool.LeastBytes) {
		bad("Spool: the folder %q has no name, or %d bytes are less than %d", s.Dir, s.MaxBytes, spool.LeastBytes)
	}
	within(bad, "SiteRate", o.SiteRate, 0, MostRate)
	within(bad, "AddressRate", o.AddressRate, 0, MostRate)
	within(bad, "NewSites", o.NewSites, 0, MostRate)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("ingest options: %w", err)
	}
	return nil
}

func checkSites(bad func(format string, args ...any), sites []site.Site) {
	seen, tokens := make(map[string]bool, len(sites)), make(map[string]string)
	for i, s := range sites {
		if err := event.ValidSite(s.ID); err != nil {
			bad("Sites[%d]: %w", i, err)
		}
		if seen[s.ID] {
			bad("Sites[%d]: site %q is there twice", i, s.ID)
		}
		seen[s.ID] = true
		for _, token := range s.Tokens {
			if other, twice := tokens[token]; token == "" || twice {
				bad("Sites[%d]: the token %q is empty or that of site %q", i, token, other)
			}
			tokens[token] = s.ID
		}
	}
}

// network is the part of the options that is about the way to here.
func (o *Options) network() identity.Network {
	return identity.Network{Proxies: o.TrustedProxies,
		CountryHeader: o.CountryHeader, RegionHeader: o.RegionHeader, CityHeader: o.CityHeader}
}

func within[T int | int32 | int64 | float64 | time.Duration](bad func(string, ...any), name string, v, lo, hi T) {
	if !(v >= lo && v <= hi) { // NaN is not within anything
		bad("%s: %v is not between %v and %v", name, v, lo, hi)
	}
}

func validCollectorID(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 32
}
