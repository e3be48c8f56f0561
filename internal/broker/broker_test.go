package broker

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"millrace/internal/testgc"
	"millrace/internal/testparallel"
	"millrace/internal/testtmp"
)

func TestMain(m *testing.M) {
	if isKillChild() {
		killChild()
		return
	}
	testparallel.Raise()
	testgc.Relax()
	testtmp.Memory()
	goleak.VerifyTestMain(m,
		// Sarama's metrics library starts one per process, for good.
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

func TestOptionsValidate(t *testing.T) {
	f := func(o Options, want ...string) {
		t.Helper()
		err := o.Validate()
		if len(want) == 0 {
			if err != nil {
				t.Fatalf("%+v: %v", o, err)
			}
			return
		}
		if err == nil {
			t.Fatalf("%+v: no error", o)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Fatalf("%+v: %q does not say %q", o, err, w)
			}
		}
	}
	f(Options{})
	f(Options{Dir: "x", SyncWrites: true, TCP: true, Port: 65535, SegmentBytes: 1 << 30, RetentionEvery: time.Second})
	f(Options{SyncWrites: true, Port: 70000, SegmentBytes: 1, RetentionEvery: -1},
		"sync writes", "only with tcp", "not in 0..65535", "segment bytes 1", "retention every")
	if _, err := Open(Options{SyncWrites: true}); err == nil {
		t.Fatal("Open takes what Validate does not")
	}
}

func TestEverythingIsThereAfterReopen(t *testing.T) {
	t.Parallel()
	f := func(o Options) {
		t.Helper()
		o.Dir = t.TempDir()
		b := mustOpen(t, o)
		c := mustClient(t, b)
		mustCreate(t, c, testTopic, 3, map[string]string{"retention.ms": "86400000"})
		mustProduce(t, c, testTopic, 0, 100)
		commit(t, c, "group", 42)
		id := clusterID(t, c)
		c.Close()
		mustClose(t, b)

		b = mustOpen(t, o)
		_, values := mustConsume(t, b, testTopic, 0)
		wantValues(t, values, 100)
		c = mustClient(t, b)
		if got := committed(t, c, "group"); got != 42 {
			t.Fatalf("committed offset %d, want 42", got)
		}
		if got := clusterID(t, c); got != id {
			t.Fatalf("cluster id %q, was %q", got, id)
		}
		mustProduce(t, c, testTopic, 100, 110)
		c.Close()
		_, values = mustConsume(t, b, testTopic, 0)
		wantValues(t, values, 110)
		mustClose(t, b)
	}
	f(Options{})
	f(Options{SyncWrites: true, SegmentBytes: 4096})
	f(Options{TCP: true})
}

func TestInMemory(t *testing.T) {
	t.Parallel()
	b := mustOpen(t, Options{})
	c := mustClient(t, b)
	mustCreate(t, c, testTopic, 1, nil)
	mustProduce(t, c, testTopic, 0, 10)
	_, values := mustConsume(t, b, testTopic, 0)
	wantValues(t, values, 10)
}

func TestOneProcessPerFolder(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir()}
	b := mustOpen(t, o)
	_, err := Open(o)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), o.Dir) {
		t.Fatalf("second open: %v", err)
	}
	mustClose(t, b)
	mustClose(t, mustOpen(t, o))
}

func TestDialsNothingElse(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, o := range []Options{{}, {TCP: true}} {
		b := mustOpen(t, o)
		if _, err := b.Dialer().Dial("tcp", ln.Addr().String()); !errors.Is(err, ErrForeignAddr) {
			t.Fatalf("foreign address: %v", err)
		}
		for _, a := range b.Addrs() {
			if _, _, err := net.SplitHostPort(a); err != nil {
				t.Fatal(err)
			}
			c, err := b.DialContext(testContext(t), "tcp", a)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	b := mustOpen(t, Options{Dir: t.TempDir()})
	idle, err := b.Dialer().Dial("tcp", b.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	mustClose(t, b)
	mustClose(t, b)
	if _, err := b.Dialer().Dial("tcp", b.Addrs()[0]); !errors.Is(err, ErrClosed) {
		t.Fatalf("dial after close: %v", err)
	}
	idle.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := idle.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("read from a closed broker: %v", err)
	}
}

func TestPortInUse(t *testing.T) {
	b := mustOpen(t, Options{TCP: true})
	_, port, _ := net.SplitHostPort(b.Addrs()[0])
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{TCP: true, Port: n, Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), port) {
		t.Fatalf("port %s in use: %v", port, err)
	}
}

func commit(tb testing.TB, c *kgo.Client, group string, offset int64) {
	tb.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = offset
	req.Topics = []kmsg.OffsetCommitRequestTopic{{
		Topic: testTopic, TopicID: topicID(tb, c),
		Partitions: []kmsg.OffsetCommitRequestTopicPartition{p},
	}}
	resp, err := req.RequestWith(testContext(tb), c)
	if err != nil {
		tb.Fatal(err)
	}
	if code := resp.Topics[0].Partitions[0].ErrorCode; code != 0 {
		tb.Fatalf("commit: error code %d", code)
	}
}

// committed returns the group's offset in partition 0, -1 if there is none.
func committed(tb testing.TB, c *kgo.Client, group string) int64 {
	tb.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	req.Group, req.Groups = group, []kmsg.OffsetFetchRequestGroup{g}
	resp, err := req.RequestWith(testContext(tb), c)
	if err != nil {
		tb.Fatal(err)
	}
	for _, t := range resp.Groups[0].Topics {
		for _, p := range t.Partitions {
			if p.Partition == 0 {
				return p.Offset
			}
		}
	}
	return -1
}

func metadata(tb testing.TB, c *kgo.Client) *kmsg.MetadataResponse {
	tb.Helper()
	resp, err := kmsg.NewPtrMetadataRequest().RequestWith(testContext(tb), c)
	if err != nil {
		tb.Fatal(err)
	}
	return resp
}

func clusterID(tb testing.TB, c *kgo.Client) string {
	tb.Helper()
	return *metadata(tb, c).ClusterID
}

func topicID(tb testing.TB, c *kgo.Client) [16]byte {
	tb.Helper()
	for _, t := range metadata(tb, c).Topics {
		if *t.Topic == testTopic {
			return t.TopicID
		}
	}
	tb.Fatal("no topic")
	return [16]byte{}
}
