package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/rcrowley/go-metrics"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What clients are for, by which Throttles tells them apart.
const (
	ToCollect = "collect" // the collector's records
	ToRead    = "read"    // what the roles read, with changelogs and commits
	ToWrite   = "write"   // what the roles write
	ToManage  = "other"   // all besides: topics, offsets, salts, dead letters of operators
)

// Purposes returns them all.
func Purposes() []string { return []string{ToCollect, ToRead, ToWrite, ToManage} }

// Throttles sums up how long brokers have held back the clients of a process, because a quota is
// used up. Both client libraries report to it. Nil takes nothing. It may be used from any goroutine.
type Throttles struct {
	// Log takes a warning a minute while it goes on. May be nil.
	Log *slog.Logger

	mu     sync.Mutex // guards what follows
	sums   map[string]time.Duration
	warned map[string]warned
}

// warned is a warning that was logged, and the sum that was then.
type warned struct {
	at  time.Time
	sum time.Duration
}

// warnEvery is the time between two warnings, and warnFrom how much has to come together for one: a
// burst that is smoothed is none.
const (
	warnEvery = time.Minute
	warnFrom  = time.Second
)

// Sums returns how long each purpose was held back since the start. The brokers hold back one
// connection at a time; those of several connections add up.
func (t *Throttles) Sums() map[string]time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.sums)
}

func (t *Throttles) add(purpose string, held time.Duration) {
	if t == nil || held <= 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sums == nil {
		t.sums, t.warned = map[string]time.Duration{}, map[string]warned{}
	}
	t.sums[purpose] += held
	last, now := t.warned[purpose], time.Now()
	if t.Log == nil || now.Sub(last.at) < warnEvery || t.sums[purpose]-last.sum < warnFrom {
		return
	}
	t.warned[purpose] = warned{now, t.sums[purpose]}
	t.Log.Warn("Kafka holds this process back: a quota of the brokers is used up, and numbers come later", "client", purpose,
		"held", (t.sums[purpose] - last.sum).Round(time.Millisecond), "remedy", quotaRemedy)
}

const quotaRemedy = "raise producer_byte_rate, consumer_byte_rate or request_percentage of the user or client.id; kafka-configs.sh --describe --entity-type users --entity-type clients shows them"

// franz returns the option by which a client of franz-go reports.
func (t *Throttles) franz(purpose string) kgo.Opt { return kgo.WithHooks(throttleHook{t, purpose}) }

type throttleHook struct {
	to      *Throttles
	purpose string
}

// OnBrokerThrottle implements kgo.HookBrokerThrottle.
func (h throttleHook) OnBrokerThrottle(_ kgo.BrokerMetadata, held time.Duration, _ bool) {
	h.to.add(h.purpose, held)
}

// throttleRegistry takes the histogram of throttle times that Sarama registers for each broker, which
// is all that it makes of them; what else it registers goes to the registry within.
type throttleRegistry struct {
	metrics.Registry
	to      *Throttles
	purpose string
}

func (r throttleRegistry) GetOrRegister(name string, metric any) any {
	if strings.HasPrefix(name, "throttle-time-in-ms-") {
		return throttleHistogram{to: r.to, purpose: r.purpose}
	}
	return r.Registry.GetOrRegister(name, metric)
}

type throttleHistogram struct {
	metrics.NilHistogram
	to      *Throttles
	purpose string
}

func (h throttleHistogram) Update(ms int64) { h.to.add(h.purpose, time.Duration(ms)*time.Millisecond) }

// configTo is Config for a client that reports what it is held back.
func (c *Cluster) configTo(purpose string) *sarama.Config {
	cfg := c.Config()
	if c.Throttles != nil {
		cfg.MetricRegistry = throttleRegistry{cfg.MetricRegistry, c.Throttles, purpose}
	}
	return cfg
}

// Quotas returns what bounds this user's clients, or all of those that have no quota of their own,
// for people: "" for nothing, and where this user may not see quotas, which is no error.
func (c *Cluster) Quotas(ctx context.Context) (string, error) {
	client, err := c.tryClient()
	if err != nil {
		return "", err
	}
	defer client.Close()
	all, err := kadm.NewClient(client).DescribeClientQuotas(ctx, false, nil)
	if err != nil {
		return "", nil
	}
	var bounds []string
	for _, q := range all {
		if !c.bounded(q.Entity) {
			continue
		}
		for _, v := range q.Values {
			bounds = append(bounds, fmt.Sprintf("%s=%v for %s", v.Key, int64(v.Value), strings.Trim(q.Entity.String(), "{}")))
		}
	}
	return strings.Join(bounds, ", "), nil
}

// bounded reports whether a quota is this user's, or that of all who have none of their own. Which
// client.id a quota names is left to the reader: there are several here.
func (c *Cluster) bounded(of kadm.ClientQuotaEntity) bool {
	for _, part := range of {
		if part.Type == "ip" || part.Type == "user" && part.Name != nil && (c.Security == nil || *part.Name != c.Security.User) {
			return false
		}
		if part.Type == "client-id" && part.Name != nil && *part.Name != "kgo" && !strings.HasPrefix(*part.Name, "goka-processor-"+c.Names.Of("millrace.")) {
			return false
		}
	}
	return true
}
