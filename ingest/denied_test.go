package ingest

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/ingest/spool"
)

// Kafka that refuses records at once: the answer says why, and not that something took too long. For want of a right
// the collector is not healthy either, although it has a spool; clients that never send again are kept in that.
func TestKafkaRefuses(t *testing.T) {
	t.Parallel()
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, func(o *Options) {
		o.AckTimeout, o.Spool = time.Minute, &spool.Options{Dir: t.TempDir(), MaxBytes: 1 << 20}
	})
	eventually(t, "the collector is healthy", func() bool { return c.Health() == nil })
	f := func(err *kerr.Error, want string) {
		t.Helper()
		fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: err, Count: -1})
		for range 3 { // the later ones find Kafka away
			res := call(c, outside, "POST", "/v1/events", oneEvent)
			if body := string(res.Body()); res.StatusCode() != 503 || !strings.Contains(body, want) || strings.Contains(body, "in time") {
				t.Errorf("%v: %d %s", err, res.StatusCode(), body)
			}
		}
		if err == kerr.TopicAuthorizationFailed {
			eventually(t, "the collector is not healthy", func() bool {
				err := c.Health()
				return err != nil && strings.Contains(err.Error(), "this user may not write topic "+testTopic)
			})
		}
		fault.Remove()
		eventually(t, "events are accepted again", func() bool {
			return call(c, outside, "POST", "/v1/events", oneEvent).StatusCode() == 202 && c.Health() == nil
		})
	}
	f(kerr.MessageTooLarge, "because of its size")
	f(kerr.TopicAuthorizationFailed, "lacks the right to write them")
}
