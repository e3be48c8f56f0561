package server

import (
	"context"
	"slices"

	"millrace/cmd/internal/check"
	"millrace/cmd/internal/roles"
	"millrace/emit/influx"
	"millrace/emit/lake"
	"millrace/emit/local"
	"millrace/engine"
	"millrace/internal/kafka"
)

// Probes returns what a server of these options would use, each to be tried by itself. REQUIRES:
// Validate has returned nil.
func (o *Options) Probes() []check.Probe {
	return slices.Concat([]check.Probe{o.folderProbe()}, o.addressProbes(), o.certificateProbes(), o.kafkaProbes(), o.archiveProbes(), o.influxProbes())
}

// kafkaProbes try the cluster of --kafka: that its brokers can be reached, what a start would do
// with the topics, and the rights of the roles.
func (o *Options) kafkaProbes() []check.Probe {
	if len(o.Kafka.Brokers) == 0 || !o.usesKafka() {
		return nil
	}
	c := givenCluster(o.Kafka, o.sessionTimeout(), nil).Cluster
	var list []check.Probe
	if len(c.Brokers) > 1 { // with one alone, "kafka" says it
		for _, addr := range c.Brokers {
			list = append(list, check.Probe{Name: "kafka address " + addr, Run: func(ctx context.Context) (string, error) { return c.Answers(ctx, addr) }})
		}
	}
	if o.lacksSecret() {
		list = append(list, check.Probe{Name: "secret", Run: func(context.Context) (string, error) { return "", noSecret }})
	}
	list = append(list, check.Probe{Name: "kafka", Run: c.Reach}, check.Probe{Name: "kafka quotas", Needs: "kafka", Run: c.Quotas})
	var uses []kafka.Use
	for _, role := range o.Roles {
		uses = append(uses, roles.Uses(role, o.Kafka.Names)...)
	}
	life := roles.State{Rules: o.Engine.Rules()}.Life()
	for _, t := range topics(o.Kafka, o.Engine.Lateness, life) {
		of := slices.DeleteFunc(slices.Clone(uses), func(u kafka.Use) bool { return u.Topic != t.Name })
		list = append(list, check.Probe{Name: "topic " + t.Name, Needs: "kafka", Run: func(ctx context.Context) (string, error) {
			if t.Partitions == 0 {
				n, err := partitionsOf(ctx, o.Kafka, c)
				if err != nil {
					return "", err
				}
				t.Partitions = n
			}
			return c.TryTopic(ctx, t, of...)
		}})
	}
	group := func(role, name string, rewinds bool) {
		name = o.Kafka.Names.Of(name)
		if o.has(role) {
			list = append(list, check.Probe{Name: "group " + name, Needs: "kafka", Run: func(ctx context.Context) (string, error) {
				return "", c.TryGroup(ctx, name, rewinds)
			}})
		}
	}
	group(roles.Process, engine.Group, false)
	group(roles.Archive, lake.Group, false)
	if o.Influx != "" {
		group(roles.Emit, influx.Group, false)
	} else {
		group(roles.Emit, local.Group, true)
	}
	return list
}
