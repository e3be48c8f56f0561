package front

import (
	"net"
	"testing"
	"time"
)

// countingConn counts the deadlines that are set, and remembers the last.
type countingConn struct {
	net.Conn
	reads, writes int
	last          time.Time
}

func (c *countingConn) Read([]byte) (int, error)           { return 0, nil }
func (c *countingConn) Write([]byte) (int, error)          { return 0, nil }
func (c *countingConn) SetReadDeadline(t time.Time) error  { c.reads++; c.last = t; return nil }
func (c *countingConn) SetWriteDeadline(t time.Time) error { c.writes++; c.last = t; return nil }

// A deadline is set before what it is for, and not again while it moves by less than a second; one
// that is earlier, far later or none is.
func TestFewDeadlines(t *testing.T) {
	inner := &countingConn{}
	c := &countedConn{Conn: inner}
	now := time.Now()
	f := func(reads int, want time.Time) {
		t.Helper()
		if err := c.SetReadDeadline(want); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(nil); err != nil {
			t.Fatal(err)
		}
		if early := want.Sub(inner.last); inner.reads != reads || early < 0 || early >= mostEarly {
			t.Errorf("%d are set, want %d; it comes %v too early", inner.reads, reads, early)
		}
	}
	f(0, time.Time{})
	f(1, now.Add(15*time.Second))
	f(1, now.Add(15*time.Second+mostEarly-1))
	f(2, now.Add(15*time.Second+mostEarly))
	f(3, now.Add(5*time.Second))
	f(4, time.Unix(1, 0))
	f(5, time.Time{})
	if err := c.SetDeadline(now); err != nil || inner.writes != 0 {
		t.Errorf("%v; %d deadlines are set before a write", err, inner.writes)
	}
	if _, err := c.Write(nil); err != nil || inner.writes != 1 || !inner.last.Equal(now) {
		t.Errorf("%v; %d deadlines are set for a write, the last is %v", err, inner.writes, inner.last)
	}
}
