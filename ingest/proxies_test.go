package ingest

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/ingest/identity"
)

// TestProxyWarnings: a proxy whose clients all count as one visitor is reported once, whatever it sends.
func TestProxyWarnings(t *testing.T) {
	const beacon = `{"site":"a.example","name":"x"}`
	f := func(proxies, peer, warning string, headers ...string) {
		t.Helper()
		var log bytes.Buffer
		registry := prometheus.NewRegistry()
		c := mustOpen(t, mustCluster(t), func(o *Options) {
			o.Log, o.Metrics = slog.New(slog.NewTextHandler(&log, nil)), registry
			if proxies != "" {
				o.TrustedProxies = identity.Proxies{netip.MustParsePrefix(proxies)}
			}
		})
		const times = 3
		for range times {
			if res := call(c, peer, "POST", "/v1/events", beacon, headers...); res.StatusCode() != 202 {
				t.Fatalf("%d %s", res.StatusCode(), res.Body())
			}
		}
		c.Close()
		want := 0
		if warning != "" {
			want = 1
		}
		if n := strings.Count(log.String(), "count as one visitor"); n != want || !strings.Contains(log.String(), warning) {
			t.Errorf("--trusted-proxies %q, peer %s, %v: %d warnings, want %q\n%s", proxies, peer, headers, n, warning, log.String())
		}
		for _, secret := range []string{peer, "198.51.100"} {
			if peer != "127.0.0.1" && peer != "::1" && strings.Contains(log.String(), secret) { // the hint names these two
				t.Errorf("the log has an address:\n%s", log.String())
			}
		}
	}
	const untrusted, unnamed, silent = "is not among --trusted-proxies", "a proxy of --trusted-proxies names no client", "--no-loopback-trust"
	forwarded := []string{"X-Forwarded-For", "198.51.100.7"}

	f("", "127.0.0.1", "")
	f("", "203.0.113.7", "", forwarded...) // anybody may send it
	f("", "203.0.113.7", "")
	for _, peer := range []string{"127.0.0.1", "10.1.2.3", "192.168.0.7", "172.17.0.1", "100.64.3.3", "169.254.1.1", "fd00::7", "::1"} {
		f("", peer, untrusted, forwarded...)
	}
	f("10.0.0.0/8", "192.168.0.7", untrusted, forwarded...)
	f("10.0.0.0/8", "10.1.2.3", "", forwarded...)
	f("10.0.0.0/8", "10.1.2.3", "", "X-Forwarded-For", "10.9.9.9") // its client is in the same network
	f("10.0.0.0/8", "10.1.2.3", unnamed)
	f("10.0.0.0/8", "10.1.2.3", unnamed, "X-Real-Ip", "198.51.100.7")
	f("10.0.0.0/8", "10.1.2.3", unnamed, "X-Forwarded-For", "unknown")
	f("10.0.0.0/8", "10.1.2.3", unnamed, "X-Forwarded-For", "198.51.100.7, unknown")
	f("127.0.0.1/32", "127.0.0.1", "") // a program on this machine
	f("127.0.0.1/32", "127.0.0.1", unnamed, "X-Real-Ip", "198.51.100.7")
	f("", "127.0.0.1", silent, "X-Real-Ip", "198.51.100.7")
	f("", "127.0.0.1", silent, "Via", "1.1 cache")
	f("", "127.0.0.1", silent, "Connection", "close")
	f("", "10.1.2.3", "")
}
