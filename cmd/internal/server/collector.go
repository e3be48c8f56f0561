package server

import (
	"cmp"
	"log/slog"
	"net/netip"
	"path/filepath"

	"millrace/cmd/internal/check"
	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/roles"
	"millrace/engine/event"
	"millrace/ingest"
	"millrace/ingest/identity"
	"millrace/ingest/protocol/all"
	"millrace/ingest/spool"
	"millrace/internal/kafka"
	"millrace/internal/site"
)

// collectorOptions returns the collector's options from access, batching and data folder: all but
// Kafka, Partitions, Salts, Places, Log and Metrics.
func collectorOptions(a *AccessOptions, c *CollectorOptions, names kafka.Names, dir *datadir.Dir) (*ingest.Options, error) {
	id, err := dir.CollectorID()
	if err != nil {
		return nil, err
	}
	secret, err := secretOf(a, dir)
	if err != nil {
		return nil, err
	}
	var scripts []string
	if c.ScriptPath != "" {
		scripts = append(scripts, c.ScriptPath)
	}
	o := &ingest.Options{
		CollectorID:     id,
		Secret:          secret,
		Protocols:       all.Protocols(scripts...),
		NoLoopbackTrust: !a.LoopbackTrust,
		TrustedProxies:  a.TrustedProxies,
		CountryHeader:   a.CountryHeader,
		RegionHeader:    a.RegionHeader,
		CityHeader:      a.CityHeader,
		Linger:          c.Linger,
		MaxBodyBytes:    int(c.MaxBody),
		MaxPendingBytes: c.MaxPending,
		SiteRate:        c.SiteRate,
		AddressRate:     c.AddressRate,
		NewSites:        c.NewSites,
		Quotas:          dir.Quotas(),
	}
	if c.SpoolMax > 0 {
		// What waits in a spool is for the topic that it was taken for.
		o.Spool = &spool.Options{Dir: filepath.Join(cmp.Or(c.Spool, dir.Spool()), names.Prefix), MaxBytes: c.SpoolMax}
	}
	o.SetSites(a.Sites)
	return o, nil
}

// noSalts has none. Options are looked at before the cluster is.
type noSalts struct{}

func (noSalts) Salt(identity.Day) *identity.Salt { return nil }

// secretOf returns the secret that ids of visitors are keyed with that they bring themselves.
func secretOf(a *AccessOptions, dir *datadir.Dir) ([]byte, error) {
	if a.Secret == nil {
		return dir.Secret()
	}
	return a.Secret, nil
}

// reportShards logs how far each site is really spread: shards are dealt to partitions by a hash.
func reportShards(sites []site.Site, partitions int32, log *slog.Logger) {
	for _, s := range sites {
		if s.Shards <= 1 {
			continue
		}
		used := map[int32]bool{}
		for shard := range s.Shards {
			used[event.Partition(s.ID, shard, partitions)] = true
		}
		if int32(s.Shards) > partitions {
			log.Warn("a site has more shards than there are partitions", "site", s.ID, "shards", s.Shards, "partitions", partitions)
		}
		log.Info("site is spread", "site", s.ID, "shards", s.Shards, "over partitions", len(used))
	}
}

// noSecret is what to say where lacksSecret.
const noSecret = check.Warning("collectors at a Kafka cluster each have a secret of their own in their data folders: visitors whose id comes with the event count once for each collector; " +
	"give all of them one --secret or --secret-file")

// lacksSecret reports whether collectors may key ids differently. One at a cluster can't know whether
// it is alone.
func (o *Options) lacksSecret() bool {
	return o.has(roles.Collect) && len(o.Kafka.Brokers) > 0 && o.Access.Secret == nil
}

// reportTrust logs that everybody is a trusted proxy, who then may say to be at any address. It is
// no error: a platform may send requests from anywhere and let nobody else reach the port.
func reportTrust(proxies []netip.Prefix, log *slog.Logger) {
	for _, p := range proxies {
		if p.Bits() == 0 {
			log.Warn("whoever reaches the port can make up visitors: all addresses are trusted proxies, whose X-Forwarded-For is believed",
				"--trusted-proxies", p, "remedy", "name the address or network of the proxy, if others than it can reach the port")
			return
		}
	}
}

// lateCollector is a collector that may be missing.
type lateCollector struct{ *ingest.Collector }

// late is query.Options.Late.
func (c *lateCollector) late(site string, since, before event.Time) (earliest event.Time, ok bool) {
	if c.Collector == nil {
		return 0, false
	}
	return c.Late(site, since, before)
}
