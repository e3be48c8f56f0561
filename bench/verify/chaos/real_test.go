package chaos

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// echo answers everything with itself until the test ends.
func echo(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	return ln.Addr().String()
}

// A relay hands on, loses the answer to what was done, hangs up, and is one that hangs up when
// nobody is behind it.
func TestRelay(t *testing.T) {
	cut := &cutter{}
	r, err := startRelay(echo(t), cut)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	dial := func() net.Conn {
		t.Helper()
		c, err := bombDialer{&bomb{}, map[string]string{"broker:9092": r.Addr().String()}}.Dial("tcp", "broker:9092")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(time.Minute))
		return c
	}
	ask := func(c net.Conn) error {
		if _, err := c.Write([]byte("ping")); err != nil {
			return err
		}
		b := make([]byte, 4)
		_, err := io.ReadFull(c, b)
		if err == nil && string(b) != "ping" {
			t.Errorf("answer %q", b)
		}
		return err
	}
	ended := func(err error) bool {
		return err != nil && !errors.Is(err, context.DeadlineExceeded) && !strings.Contains(err.Error(), "timeout")
	}
	for _, mute := range []bool{false, true} {
		c := dial()
		if err := ask(c); err != nil {
			t.Fatal(err)
		}
		if n := cut.cut(mute); n == 0 {
			t.Error("nothing was cut")
		}
		if err := ask(c); !ended(err) {
			t.Errorf("mute %v: a cut connection answers: %v", mute, err)
		}
		if err := ask(dial()); err != nil {
			t.Errorf("mute %v: a new connection: %v", mute, err)
		}
	}
	c := dial()
	if err := ask(c); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := ask(c); !ended(err) {
		t.Errorf("a connection outlives its relay: %v", err)
	}
	gone, err := startRelay("127.0.0.1:1", cut)
	if err != nil {
		t.Fatal(err)
	}
	defer gone.Close()
	alone, err := net.Dial("tcp", gone.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	alone.SetDeadline(time.Now().Add(time.Minute))
	if err := ask(alone); !ended(err) {
		t.Errorf("nobody is there, and somebody answers: %v", err)
	}
}

// What can't be played together is said before anything is started.
func TestRefusals(t *testing.T) {
	f := func(o Options, want string) {
		t.Helper()
		o.Seed = 1
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", o, err, want)
		}
	}
	f(Options{Scenario: "produce", Brokers: 3}, "fail on request")
	f(Options{Scenario: "brokers", Kafka: []string{"127.0.0.1:1"}}, "brokers of its own")
	f(Options{Scenario: "stop", Brokers: 3, Kafka: []string{"127.0.0.1:1"}}, "both")
	f(Options{Scenario: "stop", Brokers: 3, KafkaHome: t.TempDir()}, "libs/kafka_2")
	f(Options{Scenario: "stop", Brokers: -1}, "negative")
}
