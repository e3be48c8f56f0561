package identity

import (
	"log/slog"
	"net/netip"
	"sync"

	"millrace/internal/local"
)

// Signs of a proxy whose clients all count as one visitor: the label of
// millrace_ingest_hidden_clients_total.
const (
	signUntrusted = "untrusted" // X-Forwarded-For from a near peer that is not among TrustedProxies
	signUnnamed   = "unnamed"   // a trusted proxy that names no client
	signSilent    = "silent"    // a proxy on this machine that adds no X-Forwarded-For
)

// ProxyWatch finds proxies that are not configured, or that do not name their clients. It
// reports each sign once: the operator has to change a setting, and until then every beacon shows
// the same.
type ProxyWatch struct {
	log   *slog.Logger
	signs map[string]*proxySign
}

type proxySign struct {
	count Counter
	once  sync.Once
	text  string
	hint  string
}

// Counter is a counter of a metric.
type Counter interface{ Inc() }

// NewProxyWatch returns a ProxyWatch that warns in log, and counts beacons of each sign by what
// counter returns for it.
func NewProxyWatch(log *slog.Logger, counter func(sign string) Counter) *ProxyWatch {
	w := &ProxyWatch{log: log, signs: map[string]*proxySign{}}
	add := func(sign, text, hint string) {
		w.signs[sign] = &proxySign{count: counter(sign), text: text, hint: hint}
	}
	add(signUntrusted, "a proxy sends X-Forwarded-For and is not among --trusted-proxies: all its clients count as one visitor",
		"--trusted-proxies 127.0.0.1,::1 if it is on this machine, else its address or network")
	add(signUnnamed, "a proxy of --trusted-proxies names no client in X-Forwarded-For: all its clients count as one visitor",
		"in nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;")
	add(signSilent, "beacons come through a proxy on this machine that does not name its clients: they all count as one visitor",
		"let it add X-Forwarded-For, and name it with --trusted-proxies 127.0.0.1,::1; if it can't, --no-loopback-trust; "+
			"to read numbers through it, --query-keys")
	return w
}

// Look takes a beacon in that has no key: its peer, its headers X-Forwarded-For, what it is found to
// be, and whether the peer is a trusted proxy.
func (w *ProxyWatch) Look(peer netip.Addr, forwarded [][]byte, found local.Finding, trusted bool) {
	switch {
	case trusted:
		if (!peer.IsLoopback() || found.Proxied()) && !Named(forwarded) {
			w.report(signUnnamed)
		}
	case near(peer) && len(forwarded) > 0:
		w.report(signUntrusted)
	case peer.IsLoopback() && found.Proxied():
		w.report(signSilent)
	}
}

func (w *ProxyWatch) report(sign string) {
	s := w.signs[sign]
	s.count.Inc()
	s.once.Do(func() { w.log.Warn(s.text, "hint", s.hint) })
}

// near reports whether a peer is on this machine or in a private network. A header from farther
// away may be anybody's.
func near(a netip.Addr) bool {
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || sharedNet.Contains(a)
}

// sharedNet is of RFC 6598: networks of carriers, and of some clouds and overlays.
var sharedNet = netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10)
