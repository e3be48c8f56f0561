package kafka

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Use is what a role does with a topic.
type Use struct {
	Topic       string
	Read, Write bool
}

// The bits of authorized operations, by Kafka's AclOperation codes.
const (
	mayRead  = 1 << 3
	mayWrite = 1 << 4
	// notTold is the answer of brokers before 2.3, and of those that do not list them.
	notTold = -1 << 31
)

// CheckUses reports an error unless the topics are there and may be used as a role does (KIP-430:
// the topics' own metadata list what the caller may do with them, which needs the right to describe
// them and writes nothing). Brokers that do not list it are believed to allow it.
//
// The request is made here and not by kadm, whose error does not name the topic that the caller may
// not describe.
func CheckUses(ctx context.Context, client *kgo.Client, uses ...Use) error {
	req := kmsg.NewPtrMetadataRequest()
	req.IncludeTopicAuthorizedOperations = true
	byName := map[string]Use{}
	for _, u := range uses {
		if known, ok := byName[u.Topic]; ok { // several roles may use it
			byName[u.Topic] = Use{u.Topic, u.Read || known.Read, u.Write || known.Write}
			continue
		}
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(u.Topic)
		req.Topics = append(req.Topics, t)
		byName[u.Topic] = u
	}
	res, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("ask Kafka for its topics: %w", err)
	}
	for _, t := range res.Topics {
		if t.Topic == nil {
			continue
		}
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return fmt.Errorf("topic %s: %w", *t.Topic, err)
		}
		if lacks := byName[*t.Topic].lacks(t.AuthorizedOperations); lacks != "" {
			return fmt.Errorf("topic %s: this process may not %s it: give it the right to", *t.Topic, lacks)
		}
	}
	return nil
}

// lacks names the operations that are needed and not among those that are authorized.
func (u Use) lacks(operations int32) string {
	// A user with no right at all would have got an error: 0 is one more way not to list them.
	if operations == notTold || operations == 0 {
		return ""
	}
	var list []string
	if u.Read && operations&mayRead == 0 {
		list = append(list, "read")
	}
	if u.Write && operations&mayWrite == 0 {
		list = append(list, "write")
	}
	return strings.Join(list, " and ")
}
