package kafka

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// TestCheckUses gives a user the right to read one topic and to write another.
func TestCheckUses(t *testing.T) {
	may := func(topic string, op kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: topic, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true}
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "events", "windows", "hidden"), kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser("PLAIN", "admin", "admin"),
		kfake.User("PLAIN", "emit", "secret", may("windows", kmsg.ACLOperationRead), may("events", kmsg.ACLOperationWrite)))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.SASL(plain.Auth{User: "emit", Pass: "secret"}.AsMechanism()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	f := func(want string, uses ...Use) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := CheckUses(ctx, client, uses...)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v, want %q", uses, err, want)
		}
	}
	f("", Use{Topic: "windows", Read: true}, Use{Topic: "events", Write: true})
	f("topic windows: this process may not write it", Use{Topic: "windows", Read: true, Write: true})
	f("topic events: this process may not read it", Use{Topic: "windows", Read: true}, Use{Topic: "events", Read: true, Write: true})
	f("topic windows: this process may not write it", Use{Topic: "windows", Write: true}, Use{Topic: "windows", Read: true})
	f("topic hidden: TOPIC_AUTHORIZATION_FAILED", Use{Topic: "hidden", Read: true})
	f("topic none: ", Use{Topic: "none", Read: true})
}

// Brokers that do not tell are believed.
func TestUseLacks(t *testing.T) {
	for _, operations := range []int32{notTold, 0} {
		if got := (Use{Read: true, Write: true}).lacks(operations); got != "" {
			t.Errorf("%d: %s", operations, got)
		}
	}
}
