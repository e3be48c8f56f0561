package kafka

import (
	"bytes"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rcrowley/go-metrics"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestThrottles: both libraries' reports are summed up by purpose, and warned of once a minute.
func TestThrottles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		to := &Throttles{Log: slog.New(slog.NewTextHandler(&out, nil))}
		registry := throttleRegistry{metrics.NewRegistry(), to, ToRead}
		other := registry.GetOrRegister("request-size-for-broker-1", func() metrics.Histogram { return metrics.NewHistogram(metrics.NewUniformSample(9)) })
		other.(metrics.Histogram).Update(7)
		sarama := registry.GetOrRegister("throttle-time-in-ms-for-broker-1", func() metrics.Histogram { panic("not used") }).(metrics.Histogram)
		sarama.Update(400)
		throttleHook{to, ToCollect}.OnBrokerThrottle(kgo.BrokerMetadata{}, 3*time.Second, true)
		if out := out.String(); strings.Count(out, "level=WARN") != 1 || !strings.Contains(out, "client=collect held=3s") {
			t.Errorf("logged:\n%s", out)
		}
		for range 10 {
			time.Sleep(10 * time.Second)
			sarama.Update(2000)
		}
		if n := strings.Count(out.String(), "client=read"); n != 2 {
			t.Errorf("%d warnings in 100 s, want 2:\n%s", n, out.String())
		}
		want := map[string]time.Duration{ToRead: 20400 * time.Millisecond, ToCollect: 3 * time.Second}
		if got := to.Sums(); !maps.Equal(got, want) {
			t.Errorf("sums %v, want %v", got, want)
		}
		if registry.Get("request-size-for-broker-1") != other {
			t.Error("other metrics are not kept")
		}
		(*Throttles)(nil).add(ToRead, time.Second)
	})
}

func TestBounded(t *testing.T) {
	c := &Cluster{Security: &Security{User: "mill"}, Names: Names{Prefix: "a."}}
	f := func(want bool, parts ...string) {
		t.Helper()
		var of kadm.ClientQuotaEntity
		for i := 0; i < len(parts); i += 2 {
			part := kadm.ClientQuotaEntityComponent{Type: parts[i]}
			if parts[i+1] != "" {
				part.Name = &parts[i+1]
			}
			of = append(of, part)
		}
		if got := c.bounded(of); got != want {
			t.Errorf("%v: %v", of, got)
		}
	}
	f(true, "client-id", "")
	f(true, "user", "", "client-id", "")
	f(true, "user", "mill")
	f(true, "user", "mill", "client-id", "goka-processor-a.millrace.engine")
	f(true, "client-id", "kgo")
	f(false, "user", "other")
	f(false, "user", "mill", "client-id", "other")
	f(false, "client-id", "goka-processor-millrace.engine")
	f(false, "ip", "127.0.0.1")
}
