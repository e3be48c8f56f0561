package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"millrace/cmd/internal/roles"
	"millrace/engine"
	"millrace/internal/kafka"
	"millrace/internal/kafkatest"
)

func TestStandbyTakesOver(t *testing.T) {
	if !*long {
		t.Skip("takes 20 s; -long runs it, and package engine has a short form")
	}
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	standbyTakesOver(t, fake.ListenAddrs())
}

func TestStandbyTakesOverOnKafka(t *testing.T) { standbyTakesOver(t, kafkatest.Fresh(t)) }

// standbyTakesOver kills -9 one of two engines with --standby on one cluster, under load. The other one commits records of
// all partitions within 10 s; no event is lost or double.
func standbyTakesOver(t *testing.T, brokers []string) {
	role := func(roles string, args ...string) *serving {
		return mustServe(t, place{data: t.TempDir()}, append(args, "--kafka", strings.Join(brokers, ","), "--roles", roles)...)
	}
	first, second := role(roles.Process, "--standby"), role(roles.Process, "--standby")
	others := role(roles.Collect+","+roles.Emit+","+roles.Query+","+roles.Archive, "--s3", "file://"+t.TempDir())
	l := startLoad(t, true)
	l.target(others.url)
	owns := func(s *serving, want float64) func() error {
		return func() error {
			sum := 0.0
			for _, v := range s.mustMetrics(t, "millrace_engine_partition_owned") {
				sum += v
			}
			lag := s.mustMetrics(t, "millrace_engine_standby_lag_records")
			for _, v := range lag {
				if v > 20 {
					return fmt.Errorf("standby lag %v", lag)
				}
			}
			if sum != want || len(lag) != 4-int(want) {
				return fmt.Errorf("%v partitions owned, %d followed; want %v owned", sum, len(lag), want)
			}
			return nil
		}
	}
	waitFor(t, 30*time.Second, owns(first, 2))
	waitFor(t, 30*time.Second, owns(second, 2))
	time.Sleep(3 * time.Second)

	cluster := &kafka.Cluster{Brokers: brokers}
	offsets, err := cluster.OpenOffsets()
	if err != nil {
		t.Fatal(err)
	}
	defer offsets.Close()
	first.kill()
	killed := time.Now()
	before, err := offsets.Committed(engine.Group, engine.EventsTopic)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, 30*time.Second, func() error {
		now, err := offsets.Committed(engine.Group, engine.EventsTopic)
		if err != nil {
			return err
		}
		for p := range int32(4) {
			if now[p] <= before[p] {
				return fmt.Errorf("committed %v, before %v", now, before)
			}
		}
		return nil
	})
	took := time.Since(killed)
	t.Logf("all partitions commit again %v after kill -9", took.Round(10*time.Millisecond))
	if took > 10*time.Second {
		t.Errorf("took over after %v", took)
	}
	waitFor(t, 10*time.Second, owns(second, 4))
	sent := l.stop()
	t.Logf("%d requests answered", sent.acked)
	waitFor(t, 40*time.Second, func() error { return checkRollups(others, sent) })
	for _, s := range slices.Backward([]*serving{second, others}) {
		s.mustStop(t)
	}
}
