package server_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/cmd/internal/metrics"
)

// TestHeadroom: what was measured is shown for each partition, and no longer once it could not be
// measured for five minutes.
func TestHeadroom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := metrics.NewHeadroom()
		r := prometheus.NewPedanticRegistry()
		r.MustRegister(h)
		series := func() string {
			families, err := r.Gather()
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, f := range families {
				for _, m := range f.Metric {
					b.WriteString(f.GetName() + " " + m.String() + "\n")
				}
			}
			return b.String()
		}
		var away atomic.Bool
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.Keep(ctx, "millrace.engine", func(context.Context) (map[int32]time.Duration, error) {
				if away.Load() {
					return nil, errors.New("Kafka is away")
				}
				return map[int32]time.Duration{0: time.Hour, 3: 1<<63 - 1}, nil
			})
		}()
		synctest.Wait()
		first := series()
		for _, want := range []string{"millrace_log_headroom_seconds", `"millrace.engine"`, "3600", "inf"} {
			if !strings.Contains(first, want) {
				t.Errorf("%q is not in %s", want, first)
			}
		}
		away.Store(true)
		time.Sleep(4 * time.Minute)
		if series() != first {
			t.Errorf("after 4 minutes: %s", series())
		}
		time.Sleep(2 * time.Minute)
		if series() != "" {
			t.Errorf("after 6 minutes: %s", series())
		}
		cancel()
		<-done
	})
}
