package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Reach connects to all brokers, by the addresses that they advertise, and returns how many there
// are.
func (c *Cluster) Reach(ctx context.Context) (found string, err error) {
	client, err := c.tryClient()
	if err != nil {
		return "", err
	}
	defer client.Close()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	res, err := req.RequestWith(ctx, client)
	if err != nil {
		return "", fmt.Errorf("connect to Kafka at %s: %w", strings.Join(c.Brokers, ","), c.Explain(ctx, err))
	}
	for _, b := range res.Brokers {
		if _, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, client.Broker(int(b.NodeID))); err != nil {
			return "", fmt.Errorf("connect to broker %d at %s:%d, which is what it advertises (advertised.listeners): %w", b.NodeID, b.Host, b.Port, c.Explain(ctx, err))
		}
	}
	found = fmt.Sprintf("%d brokers", len(res.Brokers))
	if len(res.Brokers) == 1 {
		found = "1 broker"
	}
	if res.ClusterID != nil {
		found += ", cluster " + *res.ClusterID
	}
	if s := c.Security; s.UsesTLS() {
		found += ", by TLS"
	}
	if m := c.Security.mechanism(); m != "" {
		found += ", " + strings.ToUpper(m)
	}
	return found, nil
}

func (c *Cluster) tryClient(more ...kgo.Opt) (*kgo.Client, error) {
	opts := append(c.ClientOptions(), kgo.RequestRetries(1), kgo.RequestTimeoutOverhead(dialTimeout), kgo.DisableClientMetrics())
	client, err := kgo.NewClient(append(opts, more...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	return client, nil
}

// TryTopic returns what EnsureTopics would do with a topic, and its error, and does nothing. Of one
// that is there it also tries the rights of uses, all of that topic.
func (c *Cluster) TryTopic(ctx context.Context, t Topic, uses ...Use) (would string, err error) {
	admin, err := c.admin(ctx)
	if err != nil {
		return "", err
	}
	defer admin.Close()
	copies, err := c.replication(admin)
	if err != nil {
		return "", err
	}
	if would, err = c.ensure(admin, t, copies, true); err != nil {
		return "", c.explainCreate(admin, err, []Topic{t}, copies)
	}
	if n, err := partitionsOf(admin, t.Name); err != nil || n == 0 {
		return would, err
	}
	client, err := c.tryClient()
	if err != nil {
		return "", err
	}
	defer client.Close()
	if err := CheckUses(ctx, client, uses...); err != nil {
		return "", err
	}
	return strings.TrimSuffix(fmt.Sprintf("%d partitions; %s", t.Partitions, would), "; "), nil
}

// The bits of authorized operations on a group, besides mayRead.
const mayDelete = 1 << 6

// isMakingOffsets reports whether Kafka can't say anything of a group yet: the topic of its offsets is
// made when a cluster is asked for the first time.
func isMakingOffsets(err error) bool {
	return errors.Is(err, kerr.CoordinatorNotAvailable) || errors.Is(err, kerr.CoordinatorLoadInProgress)
}

func lacksCoordinator(g kmsg.DescribeGroupsResponseGroup) bool {
	return isMakingOffsets(kerr.ErrorForCode(g.ErrorCode))
}

// TryGroup reports an error unless a consumer group may be used, and deleted if its owner rewinds
// it.
func (c *Cluster) TryGroup(ctx context.Context, group string, rewinds bool) error {
	client, err := c.tryClient()
	if err != nil {
		return err
	}
	defer client.Close()
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups, req.IncludeAuthorizedOperations = []string{group}, true
	res, err := req.RequestWith(ctx, client)
	for isMakingOffsets(err) || err == nil && slices.ContainsFunc(res.Groups, lacksCoordinator) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("group %s: Kafka has no coordinator for it: it makes the topic __consumer_offsets when it is first asked, "+
				"and then needs some seconds; if that lasts, too few brokers run: %w", group, ctx.Err())
		case <-time.After(time.Second):
		}
		res, err = req.RequestWith(ctx, client)
	}
	if err != nil {
		return fmt.Errorf("ask Kafka for group %s: %w", group, err)
	}
	for _, g := range res.Groups {
		err := kerr.ErrorForCode(g.ErrorCode)
		if errors.Is(err, kerr.GroupAuthorizationFailed) {
			return fmt.Errorf("group %s: give this user Read and Describe on it: %w", group, err)
		}
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return fmt.Errorf("group %s: %w", group, err)
		}
		may := g.AuthorizedOperations
		if may == notTold || may == 0 {
			continue
		}
		var lacks []string
		if may&mayRead == 0 {
			lacks = append(lacks, "Read")
		}
		if rewinds && may&mayDelete == 0 {
			lacks = append(lacks, "Delete")
		}
		if len(lacks) > 0 {
			return fmt.Errorf("group %s: this user lacks %s on it: give it the right", group, strings.Join(lacks, " and "))
		}
	}
	return nil
}
