package local

import (
	"bytes"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// Finding is whether a request is local, and if not, why.
type Finding int

// Yes, and the reasons against it in the order in which they are looked for.
const (
	Yes         Finding = iota
	RemotePeer          // the connection comes from another machine
	ProxyHeader         // a header that proxies add
	OldProtocol         // HTTP/1.0, or a browser that does not keep its connection: a proxy that adds no header
	OtherOrigin         // a browser shows a page from elsewhere
	OtherHost           // the Host is not a name of this machine's loopback interface
)

func (f Finding) String() string {
	switch f {
	case Yes:
		return "the request is local"
	case RemotePeer:
		return "the request comes from another machine"
	case ProxyHeader:
		return "the request has a header that proxies add"
	case OldProtocol:
		return "the request looks like one that a proxy passes on (HTTP/1.0, or a browser with Connection: close)"
	case OtherOrigin:
		return "a page from elsewhere has made the request"
	case OtherHost:
		return "the Host of the request is not localhost or 127.0.0.1"
	}
	return "unknown"
}

// Proxied reports whether a loopback peer passes on the requests of others. A foreign Host is a sign of it too: proxies that
// add no header often keep the Host of the client.
func (f Finding) Proxied() bool { return f == ProxyHeader || f == OldProtocol || f == OtherHost }

// Fasthttp looks at a request of fasthttp.
func Fasthttp(ctx *fasthttp.RequestCtx) Finding {
	if !Peer(ctx.RemoteAddr()).IsLoopback() {
		return RemotePeer
	}
	h := &ctx.Request.Header
	if len(h.Peek("X-Forwarded-For")) > 0 { // of nearly every proxy, and nothing else counts beside it
		return ProxyHeader
	}
	r := request{host: string(h.Host()), old: !h.IsHTTP11(), close: h.ConnectionClose()}
	for name, value := range h.All() {
		r.header(string(name), value)
	}
	if uri := string(ctx.URI().Host()); uri != "" && !loopbackName(uri) {
		r.host = uri // of "GET http://name/ HTTP/1.1", which counts for more than Host
	}
	return r.finding()
}

// HTTP looks at a request of net/http.
func HTTP(req *http.Request) Finding {
	peer, err := netip.ParseAddrPort(req.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return RemotePeer
	}
	r := request{host: req.Host, old: !req.ProtoAtLeast(1, 1), close: req.Close}
	for name, values := range req.Header {
		r.header(name, []byte(strings.Join(values, ", ")))
	}
	return r.finding()
}

// Peer returns the address at the other end of a connection, the zero Addr if it is none of TCP.
func Peer(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// request is what the rule looks at. Its peer is loopback.
type request struct {
	host       string
	old, close bool // the protocol's version; whether the connection ends
	proxied    bool // a header of a proxy
	browser    bool // a header of a browser
	other      bool // a header of a browser that shows another origin
}

// header takes a header in, whose name may be in any case.
func (r *request) header(name string, value []byte) {
	r.proxied = r.proxied || hidesHeader(value)
	switch {
	case strings.EqualFold(name, "Origin"), strings.EqualFold(name, "Referer"):
		r.browser = true
		r.other = r.other || !sameHost(string(value), r.host)
	case strings.EqualFold(name, "Sec-Fetch-Site"):
		r.browser = true
		r.other = r.other || string(value) != "none" && string(value) != "same-origin"
	case strings.EqualFold(name, "User-Agent"):
		r.browser = r.browser || bytes.HasPrefix(value, []byte("Mozilla/"))
	default:
		r.browser = r.browser || hasPrefixFold(name, "sec-")
		r.proxied = r.proxied || proxyHeader(name)
	}
}

func (r *request) finding() Finding {
	switch {
	case r.proxied:
		return ProxyHeader
	case r.old, r.close && r.browser:
		return OldProtocol
	case r.other:
		return OtherOrigin
	case !loopbackName(r.host):
		return OtherHost
	}
	return Yes
}

// sameHost reports whether an origin or a URL is of the host that was asked. "null" is no host.
func sameHost(address, host string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// loopbackName reports whether a Host, with a port or without, is one of the loopback interface.
func loopbackName(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") { // RFC 6761: never another machine
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.Unmap().IsLoopback()
}

// Headers that proxies, load balancers, CDNs and what signs users in before them add, as proxyHeader spells names. The first
// four are rules for names that no list has: an address of a client, however the product calls it.
var (
	proxyParts    = [...]string{"forward", "client-ip", "clientip", "real-ip", "remote-addr"}
	proxySuffixes = [...]string{"-ip", "-via", "realip", "-addr", "-ipaddress"}
	proxyPrefixes = [...]string{
		"x-original-", "x-originating-", "x-real-", "x-client-", "x-cluster-client-", "x-remote-", "remote-", "x-rewrite-url",
		"x-proxy", "proxy-", "wl-proxy-", "x-coming-from", "cdn-", "x-cdn", "x-via", "via-", "x-edge-", "surrogate-",
		"ssl-", "x-ssl", "x-tls-", "x-https", "client-cert", "x-auth-request-", "x-webauth-", "x-authentik-", "x-pomerium-",
		"x-nginx-", "x-accel-", "x-varnish", "x-envoy-", "x-haproxy-", "x-traefik-", "x-arr-", "x-kong-", "x-consumer-", "x-squid-",
		"x-bluecoat-", "x-zscaler-", "l5d-", "x-istio-", "x-gateway-", "x-ingress-", "x-lb-", "x-geo", "geoip-", "x-country", "x-region", "x-city", "x-proto", "x-authenticated-",
		"cf-", "cloudfront-", "x-amz-cf-", "x-amzn-", "fastly-", "x-fastly-", "akamai-", "x-akamai-", "x-azure-", "x-ms-client-",
		"fly-", "x-vercel-", "x-appengine-", "x-cloud-trace-", "x-goog-iap-", "x-goog-authenticated-", "x-nf-", "x-bunny-",
		"x-sucuri-", "incap-", "x-incap-", "ali-cdn-", "do-connecting-", "tailscale-", "ngrok-", "x-tunnel-",
	}
	proxyNames = [...]string{
		"via", "front-end-https", "x-host", "x-port", "x-scheme", "x-url-scheme", "early-data", "x-request-start", "x-queue-start", "x-sendfile-type",
	}
)

// proxyHeader reports whether a header is one that proxies add. Its name is compared in lower case, and with "-" for "_", as
// CGI and others read it.
func proxyHeader(name string) bool {
	var buf [64]byte
	b := buf[:0]
	for i := range len(name) {
		switch c := name[i]; {
		case 'A' <= c && c <= 'Z':
			b = append(b, c|0x20)
		case c == '_':
			b = append(b, '-')
		default:
			b = append(b, c)
		}
	}
	spelled := string(bytes.TrimSpace(b))
	return slices.Contains(proxyNames[:], spelled) ||
		slices.ContainsFunc(proxyPrefixes[:], func(s string) bool { return strings.HasPrefix(spelled, s) }) ||
		slices.ContainsFunc(proxySuffixes[:], func(s string) bool { return strings.HasSuffix(spelled, s) }) ||
		slices.ContainsFunc(proxyParts[:], func(s string) bool { return strings.Contains(spelled, s) })
}

// hidesHeader reports whether a value holds a header of a proxy: a line that begins with a blank goes on with the value of the
// line before (RFC 9112, 5.2), for some programs, and is a header for others.
func hidesHeader(value []byte) bool {
	for {
		before, rest, ok := bytes.Cut(value, []byte(":"))
		if !ok {
			return false
		}
		before = bytes.TrimSpace(before)
		if proxyHeader(string(before[bytes.LastIndexAny(before, " \t\r\n")+1:])) {
			return true
		}
		value = rest
	}
}

// hasPrefixFold is strings.HasPrefix without regard to case; prefix is in lower case and not empty.
func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && s[0]|0x20 == prefix[0] && strings.EqualFold(s[:len(prefix)], prefix)
}

// LoopbackAddress reports whether only this machine can connect to an address to listen on, HOST:PORT.
func LoopbackAddress(addr string) bool {
	host := addr
	if i := strings.LastIndexByte(addr, ':'); i >= 0 {
		host = strings.Trim(addr[:i], "[]")
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
