package ingest

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestHealth(t *testing.T) {
	c := mustOpen(t, mustCluster(t), nil)
	for end := time.Now().Add(20 * time.Second); c.Health() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(c.Health())
		}
	}
	f := func(age, last time.Duration, err error, want string) {
		t.Helper()
		c := &Collector{clock: newWallClock(&Options{Now: time.Now, Elapsed: sinceStart()}, nil)}
		c.health.opened = time.Now().Add(-age)
		c.health.last.Store(int64(last))
		if err != nil {
			c.health.failed(err)
		}
		switch got := c.Health(); {
		case want == "" && got != nil:
			t.Error(got)
		case want != "" && (got == nil || !strings.Contains(got.Error(), want)):
			t.Errorf("%v, want %q", got, want)
		}
	}
	refused := errors.New("TOPIC_AUTHORIZATION_FAILED")
	f(time.Millisecond, 0, nil, "kafka has not acknowledged a record yet: no answer")
	f(time.Hour, 0, refused, "not acknowledged a record yet: TOPIC_AUTHORIZATION_FAILED")
	f(time.Hour, time.Hour-silence/2, refused, "")
	f(time.Hour, time.Hour-2*silence, refused, "kafka has acknowledged no record for 30s: TOPIC_AUTHORIZATION_FAILED")
}
