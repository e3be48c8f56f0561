package kafka

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// What listens at an address of --kafka and is no broker's is named, by check and at a start.
func TestForeign(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(nil)
	t.Cleanup(web.Close)
	listen := func(greeting string) string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		go func() {
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				t.Cleanup(func() { conn.Close() })
				fmt.Fprint(conn, greeting)
			}
		}()
		return ln.Addr().String()
	}
	for _, c := range []struct{ addr, want string }{
		{web.Listener.Addr().String(), "is an HTTP server"},
		{listen("220 mail.example.com ESMTP\r\n"), `answers "220 mail" and so on, which is not Kafka's protocol`},
		{listen(""), "takes connections and does not answer, so that it hangs or is no broker"},
	} {
		want := c.addr + " " + c.want + ": --kafka wants host:port of a broker's listener"
		cluster := &Cluster{Brokers: []string{c.addr}, Security: &Security{}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := cluster.Answers(ctx, c.addr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Answers: %v, want %q", err, want)
		}
		cancel()
		if err := cluster.Explain(ctx, context.DeadlineExceeded); !strings.Contains(err.Error(), want) {
			t.Errorf("Explain: %v, want %q", err, want)
		}
	}
	broker := mustBroker(t)
	broker.Security = &Security{}
	if _, err := broker.Answers(t.Context(), broker.Brokers[0]); err != nil {
		t.Errorf("a broker: %v", err)
	}
	if why := broker.foreign(t.Context()); why != "" {
		t.Errorf("a broker: %s", why)
	}
}
