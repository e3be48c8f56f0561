package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/emit/lake/commits"
	"millrace/engine"
	"millrace/internal/deadletter"
	"millrace/internal/kafka"
)

// world is the cluster of one run: brokers in this process on loopback ports, so that workers reach
// them, real ones that were started for it, or a cluster that is there. It is closed with close.
type world struct {
	cluster    *kafka.Cluster
	fake       *kfake.Cluster // nil with a real cluster
	real       *real          // nil unless started
	cutter     *cutter        // of the connections to fake or real
	partitions int32
	admin      *kgo.Client
}

// topics are those that a run makes.
func topics() []string {
	return []string{engine.EventsTopic, engine.WindowsTopic, deadletter.Topic, commits.Topic, kafka.TableTopic(engine.Group)}
}

// openWorld starts brokers, with what they keep in a folder, and makes the topics. On a cluster
// that is there the topics must not be: nothing of anybody else is touched. Brokers is the number
// of those in this process.
func openWorld(ctx context.Context, brokers int, partitions int32, dir string, o *Options) (*world, error) {
	w := &world{partitions: partitions, cutter: &cutter{}}
	switch {
	case len(o.Kafka) > 0:
		w.cluster = &kafka.Cluster{Brokers: o.Kafka}
	case o.Brokers > 0:
		var err error
		if w.real, err = startReal(ctx, dir, o, w.cutter); err != nil {
			return nil, err
		}
		w.cluster = &kafka.Cluster{Brokers: w.real.kafka.Addrs()}
	default:
		fake, err := kfake.NewCluster(kfake.NumBrokers(brokers), kfake.ListenFn(w.cutter.listen),
			kfake.BrokerConfigs(map[string]string{
				"message.max.bytes": fmt.Sprint(16 << 20),
				"log.segment.bytes": fmt.Sprint(32 << 20), // what is dropped is dropped by segments
			}))
		if err != nil {
			return nil, fmt.Errorf("start brokers: %w", err)
		}
		w.fake = fake
		w.cluster = &kafka.Cluster{Brokers: fake.ListenAddrs(), Replication: 1}
	}
	err := w.makeTopics(ctx)
	if err == nil {
		w.admin, err = w.client()
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// makeTopics makes the topics. On a cluster that is there none of them may be.
func (w *world) makeTopics(ctx context.Context) error {
	var list []kafka.Topic
	for _, name := range topics() {
		if w.fake == nil {
			n, err := w.cluster.Partitions(ctx, name)
			if err != nil {
				return err
			}
			if n > 0 {
				return fmt.Errorf("topic %s is there already; a scenario wants a cluster without Millrace's topics, and leaves them behind", name)
			}
		}
		list = append(list, kafka.Topic{Name: name, Partitions: w.partitions})
	}
	return w.cluster.EnsureTopics(ctx, list...)
}

// close ends what openWorld has started; a cluster that was there goes on.
func (w *world) close() {
	if w.admin != nil {
		w.admin.Close()
	}
	if w.fake != nil {
		w.fake.Close()
	}
	if w.real != nil {
		w.real.close() // a folder that stays is the folder of temporary files'
	}
}

// client connects. It speaks to the brokers directly, past the cutter's faults if those spare it.
func (w *world) client(opts ...kgo.Opt) (*kgo.Client, error) {
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(w.cluster.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ClientID(ownClient),
		kgo.ProducerBatchMaxBytes(8 << 20), kgo.MaxBufferedRecords(2000), kgo.ProducerLinger(2 * time.Millisecond),
	}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to the brokers: %w", err)
	}
	return c, nil
}

// ownClient is the id of the scenario's own clients.
const ownClient = "chaos"

// committed returns the group's offset of each partition of the log, 0 for none.
func (w *world) committed(ctx context.Context, group string) ([]int64, error) {
	return w.committedOf(ctx, group, engine.EventsTopic)
}

// committedOf is committed for any topic.
func (w *world) committedOf(ctx context.Context, group, name string) ([]int64, error) {
	offsets, err := kadm.NewClient(w.admin).FetchOffsetsForTopics(ctx, group, name)
	if err != nil {
		return nil, fmt.Errorf("committed offsets of %s: %w", group, err)
	}
	at := make([]int64, w.partitions)
	for p, offset := range offsets[name] {
		at[p] = max(0, offset.At)
		err = errors.Join(err, offset.Err)
	}
	return at, err
}

// members returns the ids of the group's members.
func (w *world) members(ctx context.Context, group string) (map[string]bool, error) {
	groups, err := kadm.NewClient(w.admin).DescribeGroups(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("members of %s: %w", group, err)
	}
	ids := map[string]bool{}
	for _, m := range groups[group].Members {
		ids[m.MemberID] = true
	}
	return ids, nil
}

// evict takes members out of the group as their sessions' end would, only at once: else each kill
// costs the 20 s of a session before a successor gets the partitions. (kadm's LeaveGroup is for
// static members alone.)
func (w *world) evict(ctx context.Context, group string, ids map[string]bool) error {
	if len(ids) == 0 {
		return nil
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = group
	for id := range ids {
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = id
		req.Members = append(req.Members, m)
		req.MemberID = id
	}
	resp, err := req.RequestWith(ctx, w.admin)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil && !errors.Is(err, kerr.UnknownMemberID) {
		return fmt.Errorf("evict from %s: %w", group, err)
	}
	return nil
}

// ends are the offsets behind the last record of each partition.
func (w *world) ends(ctx context.Context, topic string) ([]int64, error) {
	m, err := w.cluster.Ends(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := make([]int64, w.partitions)
	for p, end := range m {
		out[p] = end
	}
	return out, nil
}
