#!/usr/bin/env bash
# franz-go, asked for something with a context of one second, takes ten where a listener takes the connection and then says nothing (a
# proxy without a backend, a firewall, a broker that hangs), and its error says that it was "unable to dial": the connection was made,
# and Kafka's first request was sent over it. Neither a deadline of the context nor DialTimeout is what bounds this; it is
# RequestTimeoutOverhead, 10 s by default. What shows a hanging broker in a second has to set that.
#
# Seen on 2026-11-30 with github.com/twmb/franz-go v1.22.2, go1.26.8: Ping and Metadata with a context of 1 s: 10.0 s, "unable to dial:
# dial tcp …: i/o timeout", though 1 connection was made and 36 bytes came over it. With DialTimeout(1s): the same. With
# RequestTimeoutOverhead(1s): 1.0 s, with the same words.
#
# Needs Go 1.26 or later. Exits with 1 if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module silent

go 1.26
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	var connections, bytes atomic.Int64
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			go func() { // reads, and never answers
				buf := make([]byte, 4096)
				for {
					n, err := conn.Read(buf)
					bytes.Add(int64(n))
					if err != nil {
						return
					}
				}
			}()
		}
	}()
	changed := false
	ping := func(ctx context.Context, c *kgo.Client) error { return c.Ping(ctx) }
	metadata := func(ctx context.Context, c *kgo.Client) error {
		_, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, c)
		return err
	}
	for _, try := range []struct {
		name    string
		seconds int
		request func(context.Context, *kgo.Client) error
		more    kgo.Opt
	}{
		{"Ping", 10, ping, kgo.RequestRetries(0)},
		{"Metadata", 10, metadata, kgo.RequestRetries(0)},
		{"Ping, DialTimeout(1s)", 10, ping, kgo.DialTimeout(time.Second)},
		{"Ping, RequestTimeoutOverhead(1s)", 1, ping, kgo.RequestTimeoutOverhead(time.Second)},
	} {
		connections.Store(0)
		bytes.Store(0)
		client, err := kgo.NewClient(kgo.SeedBrokers(listener.Addr().String()), try.more)
		if err != nil {
			panic(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		began := time.Now()
		err = try.request(ctx, client)
		took := time.Since(began)
		cancel()
		client.Close()
		text := strings.ReplaceAll(fmt.Sprint(err), listener.Addr().String(), "ADDRESS")
		fmt.Printf("%s, context of 1 s: %.1f s, %d connections, %d bytes: %s\n", try.name, took.Seconds(), connections.Load(), bytes.Load(), text)
		low, high := time.Duration(try.seconds)*time.Second-100*time.Millisecond, time.Duration(try.seconds+2)*time.Second
		if took < low || took > high || connections.Load() == 0 || bytes.Load() == 0 || !strings.Contains(text, "unable to dial") {
			changed = true
		}
	}
	if changed {
		fmt.Println("changed")
		os.Exit(1)
	}
}
EOF
go get github.com/twmb/franz-go@v1.22.2 github.com/twmb/franz-go/pkg/kmsg@v1.15.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go run .
