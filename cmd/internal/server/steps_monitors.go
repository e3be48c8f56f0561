package server

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/roles"
	"millrace/internal/kafka"
)

// startMonitors probes Kafka, the embedded broker's files and the rollup store that is queried, for
// as long as the process runs.
func (s *server) startMonitors(context.Context) error {
	if s.cluster != nil && s.cluster.check != nil {
		s.background.monitor("log", nil, 0, s.cluster.check)
	}
	if s.cluster != nil {
		client, err := kgo.NewClient(s.cluster.clientOptions()...)
		if err != nil {
			return fmt.Errorf("connect to Kafka: %w", err)
		}
		s.prober = client
		s.closers.add("prober", func() error { client.Close(); return nil })
		// The collector knows itself how Kafka takes its records, and what goes on without it.
		var of []string
		for _, role := range []string{roles.Process, roles.Emit, roles.Archive} {
			if s.o.has(role) {
				of = append(of, role)
			}
		}
		if len(of) > 0 {
			s.background.monitor("kafka", of, away, s.probeKafka(client, of))
		}
	}
	switch {
	case !s.o.has(roles.Query):
	case s.stores.Influx != nil:
		s.background.monitor(roles.Query, []string{roles.Query}, away, s.stores.Influx.Reader.Check)
	default:
		s.background.monitor(roles.Query, []string{roles.Query}, 0, s.stores.Local.Check)
	}
	return nil
}

// watchFolders ends the process when a folder that it can't do without is removed under it.
func (s *server) watchFolders(context.Context) error {
	var looks []look
	if s.cluster != nil && len(s.o.Kafka.Brokers) == 0 {
		looks = append(looks, brokerFolder(s.dir.Broker(), s.guard.StartAnew))
	}
	if s.stores.Local != nil {
		looks = append(looks, rollupsFolder(s.dir.Rollups()))
	}
	if len(looks) > 0 {
		s.background.keep("folders", func(ctx context.Context) error { return watchFolders(ctx, looks, s.fail) })
	}
	return nil
}

// probeKafka returns a probe of the brokers and of the rights that roles need: a role whose right to
// read is taken away while it runs would only wait, and report nothing.
func (s *server) probeKafka(client *kgo.Client, of []string) func(context.Context) error {
	var uses []kafka.Use
	for _, role := range of {
		uses = append(uses, roles.Uses(role, s.o.Kafka.Names)...)
	}
	return func(ctx context.Context) error {
		if err := client.Ping(ctx); err != nil {
			return s.cluster.Explain(ctx, err)
		}
		return kafka.CheckUses(ctx, client, uses...)
	}
}
