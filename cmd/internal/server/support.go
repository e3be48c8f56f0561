package server

import (
	"context"
	"errors"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/rules"
	"millrace/cmd/internal/stores"
	"millrace/cmd/internal/support"
	"millrace/internal/influxdb"
	"millrace/internal/kafka"
)

// keepLines has the last lines of a log kept for the support bundle.
func keepLines(log *slog.Logger) (*slog.Logger, *support.Lines) {
	lines := &support.Lines{}
	if log == nil {
		return nil, lines
	}
	return slog.New(lines.Keep(log.Handler())), lines
}

// openSupport serves the support bundle on the admin port.
func (s *server) openSupport(context.Context) error {
	o := support.Options{
		Version: s.o.Version, Revision: rules.Revision(), Settings: shown(&s.o, &s.stores), Sites: s.sites.get,
		Metrics: s.admin.Registry, Ready: s.admin.Ready, Lines: s.lines, Data: s.dir.Path(),
	}
	if s.cluster != nil {
		clients, groups, names := s.cluster.clientOptions(), (&kept{roles: s.o.Roles, names: s.o.Kafka.Names, influx: s.o.Influx != ""}).groups(), []string{}
		for _, t := range topics(s.o.Kafka, s.o.Engine.Lateness, s.state().Life()) {
			names = append(names, t.Name)
		}
		o.Topics = func(ctx context.Context) (any, error) { return offsets(ctx, clients, names, groups) }
	}
	s.admin.Handle("GET /support", support.New(o))
	return nil
}

// shown are the settings that anyone may see whom the operator shows the bundle to: each is named
// here, so that a new one is not shown by itself. Durations are in the form of flags.
func shown(o *Options, set *stores.Set) map[string]any {
	m := map[string]any{
		"roles": o.Roles, "listen": o.Listen, "admin": o.Admin, "archive-every": o.ArchiveEvery.String(), "audit-share": o.AuditShare, "hits": o.Hits,
		"demo": o.Demo, "drain": o.Drain.String(), "tls": o.TLSCert != "", "admin-tls": o.AdminTLSCert != "",

		"kafka": o.Kafka.Brokers, "partitions": o.Kafka.Partitions, "replication": o.Kafka.Replication, "retention": o.Kafka.Retention.String(),
		"session-timeout": o.sessionTimeout().String(), "sync-writes": o.Kafka.SyncWrites, "kafka-security": o.Kafka.Security != nil,
		"kafka-rack": o.Kafka.Rack, "topic-prefix": o.Kafka.Names.Prefix,

		"sites-file": o.Access.SitesFile != nil, "loopback-trust": o.Access.LoopbackTrust, "trusted-proxies": len(o.Access.TrustedProxies),
		"country-header": o.Access.CountryHeader, "region-header": o.Access.RegionHeader, "city-header": o.Access.CityHeader,
		"geo-mmdb": len(o.Access.GeoMMDB), "secret": len(o.Access.Secret) > 0,

		"linger": o.Collector.Linger.String(), "max-body": o.Collector.MaxBody, "max-pending": o.Collector.MaxPending,
		"spool-max": o.Collector.SpoolMax, "site-rate": o.Collector.SiteRate, "address-rate": o.Collector.AddressRate,
		"new-sites": o.Collector.NewSites,

		"grace": o.Engine.Grace.String(), "lateness": o.Engine.Lateness.String(), "early": o.Engine.Early.String(),
		"silent-after": o.Engine.SilentAfter.String(), "standby": o.Engine.Standby,
	}
	if o.Influx != "" {
		m["influx"] = "set"
		if cfg, err := influxdb.ParseURL(o.Influx); err == nil {
			m["influx"] = cfg.Base.Scheme + "://" + cfg.Base.Host
		}
	}
	if o.S3 != "" {
		m["s3"] = "set"
		if set.Lake != nil {
			m["s3"] = set.Lake.String() // has no secrets
		}
	}
	return m
}

// offsets returns where topics begin and end, and how far the groups of this process have come.
func offsets(ctx context.Context, clients []kgo.Opt, names []string, groups map[string]string) (any, error) {
	client, err := kgo.NewClient(clients...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	type topic struct{ Starts, Ends map[int32]int64 }
	all, committed := map[string]topic{}, map[string]map[int32]int64{}
	var errs []error
	for _, name := range names {
		var t topic
		if t.Starts, t.Ends, err = kafka.Bounds(ctx, client, name); err != nil {
			errs = append(errs, err)
			continue
		}
		all[name] = t
	}
	for group, name := range groups {
		if committed[group], err = kafka.Committed(ctx, client, group, name); err != nil {
			errs = append(errs, err)
		}
	}
	if len(all) == 0 {
		return nil, errors.Join(errs...)
	}
	texts := []string{}
	for _, err := range errs {
		texts = append(texts, err.Error())
	}
	return map[string]any{"topics": all, "committed": committed, "errors": texts}, nil
}
