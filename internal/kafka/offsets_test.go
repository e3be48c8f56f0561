package kafka

import (
	"sync"
	"testing"
	"time"

	"github.com/lovoo/goka"
)

// Ends and commits are known from before there is a group on; a connection that was closed says so.
func TestOffsets(t *testing.T) {
	t.Parallel()
	c := mustBroker(t)
	mustEnsure(t, c, Topic{Name: testTopic, Partitions: 2}, Topic{Name: "out", Partitions: 2})
	o, err := c.OpenOffsets()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	check := func(end, next int64) {
		t.Helper()
		ends, err := o.Ends(testTopic)
		if err != nil || len(ends) != 2 || ends[0] != end || ends[1] != 0 {
			t.Errorf("ends %v, %v; want %d and 0", ends, err, end)
		}
		at, err := o.Committed(testGroup, testTopic)
		if got, ok := at[0]; err != nil || ok != (next >= 0) || ok && got != next {
			t.Errorf("committed %v, %v; want %d", at, err, next)
		}
		if _, ok := at[1]; ok {
			t.Errorf("committed %v in a partition without records", at)
		}
	}
	check(0, -1)
	mustProduce(t, c, testTopic, 5)
	p := start(t, c, func(*proc, goka.Context, any) {})
	eventually(t, "a commit", func() bool {
		at, err := o.Committed(testGroup, testTopic)
		return err == nil && at[0] == 5
	})
	check(5, 5)
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Ends(testTopic); err == nil {
		t.Error("a closed connection answers")
	}
}

// A rebalance waits for its slowest member: one that has to give a partition up comes back at once,
// and not after the 5 s that goka waits between two sessions.
func TestRebalanceWithoutPause(t *testing.T) {
	t.Parallel()
	c := mustBroker(t)
	c.SessionTimeout = 6 * time.Second // a heartbeat each second, by whose answer the first learns of the second
	mustEnsure(t, c, Topic{Name: testTopic, Partitions: 2}, Topic{Name: "out", Partitions: 2})
	var joined [2]chan struct{}
	for i := range joined {
		joined[i] = make(chan struct{})
		var once sync.Once
		began := time.Now()
		start(t, c, nil, goka.WithRebalanceCallback(func(goka.Assignment) { once.Do(func() { close(joined[i]) }) }))
		<-joined[i]
		if took := time.Since(began); i == 1 && took > 5*time.Second {
			t.Errorf("the second member was let in after %v", took)
		}
	}
}
