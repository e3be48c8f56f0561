package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/engine"
	"millrace/engine/delta"
	"millrace/internal/kafka"
)

// brokers is T6: what a cluster does on a bad day, while the log is written and counted.
func brokers(ctx context.Context, o Options) error {
	if o.Brokers > 0 {
		return realBrokers(ctx, o)
	}
	r, p, err := openSteady(ctx, o, plan{work: crowd(o), brokers: 3})
	if err != nil {
		return err
	}
	defer r.close()
	done := map[string]int{}
	for i := range o.Times {
		o.progress("harm", i, o.Times)
		if err := r.feed.until(ctx, r.share(float64(i+1)/float64(o.Times+1))); err != nil {
			return err
		}
		h := harms[r.rng.IntN(len(harms))]
		done[h.name]++
		h.do(r)
		if err := sleep(ctx, time.Duration(r.rng.IntN(300))*time.Millisecond); err != nil {
			return err
		}
		if !p.alive() {
			return fmt.Errorf("the worker ended: %w\n%s", p.err, p.errs.String())
		}
	}
	var list []string
	for name, n := range done {
		list = append(list, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(list)
	if err := r.finish(ctx); err != nil {
		return err
	}
	r.report.Add("harm", "%s", strings.Join(list, ", "))
	r.report.Add("restarts", "%d of the engine in its process", p.status().Restarts)
	return nil
}

// harms are what is done to brokers.
var harms = []struct {
	name string
	do   func(*run)
}{
	{"leaders moved", func(r *run) { r.world.fake.ShufflePartitionLeaders() }},
	{"coordinators moved", func(r *run) { r.world.fake.RehashCoordinators() }},
	{"connections dropped", func(r *run) { r.world.cutter.cut(false) }},
	{"answers lost", func(r *run) { r.world.cutter.cut(true) }},
	{"produce timed out after it was done", func(r *run) {
		r.fault(kmsg.Produce, "", kerr.RequestTimedOut, 1+r.rng.IntN(3))
	}},
	{"too few replicas after it was done", func(r *run) {
		r.fault(kmsg.Produce, "", kerr.NotEnoughReplicasAfterAppend, 1+r.rng.IntN(3))
	}},
	{"not the leader", func(r *run) {
		r.fault(kmsg.Produce, kafka.TableTopic(engine.Group), kerr.NotLeaderForPartition, 1+r.rng.IntN(3))
		r.fault(kmsg.Fetch, engine.EventsTopic, kerr.NotLeaderForPartition, 1+r.rng.IntN(3))
	}},
	{"too few replicas", func(r *run) { r.fault(kmsg.Produce, engine.WindowsTopic, kerr.NotEnoughReplicas, 1+r.rng.IntN(5)) }},
	{"commit refused", func(r *run) {
		r.world.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: engine.Group, Err: kerr.NotCoordinator, Count: 1 + r.rng.IntN(3)})
	}},
	{"commit timed out after it was done", func(r *run) {
		r.world.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: engine.Group, Err: kerr.RequestTimedOut, Count: 1})
	}},
	{"member forgotten", func(r *run) {
		r.world.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: engine.Group, Err: kerr.UnknownMemberID, Count: 1})
	}},
}

// fault lets the next requests of the workers fail: the log itself is written to EventsTopic, which
// is spared by name where all topics are meant.
func (r *run) fault(key kmsg.Key, topic string, err *kerr.Error, count int) {
	list := []string{topic}
	if topic == "" {
		list = []string{engine.WindowsTopic, kafka.TableTopic(engine.Group)}
	}
	for _, t := range list {
		r.world.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Topic: t, Err: err, Count: count})
	}
}

// produce is T4: nothing can be written to the changelog of one partition, for longer than the
// producer tries. In the short form it is told at once that there is no hope.
func produce(ctx context.Context, o Options) error {
	r, p, err := openSteady(ctx, o, plan{work: crowd(o)})
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.feed.until(ctx, r.share(0.3)); err != nil {
		return err
	}
	const part = 1
	why := kerr.NotEnoughReplicas // tried again
	if o.Wall < 2*time.Minute {
		why = kerr.MessageTooLarge // not tried again
	}
	h := r.world.fake.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Topic: kafka.TableTopic(engine.Group), Partitions: []int32{part}, Err: why, Count: -1,
	})
	began := time.Now()
	steps := 10
	for i := range steps {
		o.progress("refuse", i, steps)
		if err := r.feed.until(ctx, r.share(0.3+0.4*float64(i+1)/float64(steps))); err != nil {
			return err
		}
		if err := sleep(ctx, o.Wall/time.Duration(steps)); err != nil {
			return err
		}
		if err := r.checkCommit(ctx, part); err != nil {
			return err
		}
	}
	refused := h.Hits()
	h.Remove()
	restarts := p.status().Restarts
	if refused == 0 || restarts == 0 {
		r.report.Fail("the produces were refused %d times and the engine gave up %d times: the scenario did no harm", refused, restarts)
	}
	took := time.Since(began)
	if err := r.finish(ctx); err != nil {
		return err
	}
	r.report.Add("refused", "%d produces in %v (%s); the engine gave up and began again %d times", refused, took.Round(time.Second), why.Message, restarts)
	return nil
}

// checkCommit looks whether a partition's commit has passed what its changelog has.
func (r *run) checkCommit(ctx context.Context, part int32) error {
	// The commit first: the changelog may grow in between.
	at, err := r.world.committed(ctx, engine.Group)
	if err != nil {
		return err
	}
	last, err := r.lastDelta(ctx, part)
	if err == nil && at[part] > last+1 {
		r.report.Fail("partition %d: committed is %d, the changelog ends with record %d", part, at[part], last)
	}
	return err
}

// lastDelta is the greatest offset of the log whose delta is in a partition's changelog.
func (r *run) lastDelta(ctx context.Context, part int32) (int64, error) {
	topic := kafka.TableTopic(engine.Group)
	ends, err := r.world.ends(ctx, topic)
	if err != nil || ends[part] == 0 {
		return delta.None, err
	}
	c, err := r.world.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {part: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	last, next := int64(delta.None), int64(0)
	for next < ends[part] {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return 0, fmt.Errorf("read %s: %w", topic, err)
		}
		var bad error
		fetches.EachRecord(func(rec *kgo.Record) {
			next = rec.Offset + 1
			h, err := delta.DecodeHead(rec.Value)
			if err != nil {
				bad = err
			}
			last = max(last, h.Offset)
		})
		if bad != nil {
			return 0, bad
		}
	}
	return last, nil
}
