package server

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
)

func TestReportTrust(t *testing.T) {
	f := func(want int, networks ...string) {
		t.Helper()
		var proxies []netip.Prefix
		for _, n := range networks {
			proxies = append(proxies, netip.MustParsePrefix(n))
		}
		var log bytes.Buffer
		reportTrust(proxies, slog.New(slog.NewTextHandler(&log, nil)))
		if n := strings.Count(log.String(), "--trusted-proxies="); n != want {
			t.Errorf("%v: %d warnings, want %d:\n%s", networks, n, want, log.String())
		}
	}
	f(0)
	f(0, "10.0.0.0/8", "127.0.0.1/32", "fd00::/8")
	f(1, "10.0.0.0/8", "0.0.0.0/0")
	f(1, "::/0", "0.0.0.0/0")
}
