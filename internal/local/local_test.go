package local

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// both reads a request as fasthttp and net/http do, and wants the same finding from both.
func both(t *testing.T, peer, request string, want Finding) {
	t.Helper()
	raw := strings.ReplaceAll(request, "\n", "\r\n") + "\r\n\r\n"
	var fast fasthttp.RequestCtx
	var in fasthttp.Request
	if err := in.Header.Read(bufio.NewReader(strings.NewReader(raw))); err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	addr := &net.TCPAddr{IP: net.ParseIP(peer), Port: 4711}
	fast.Init(&in, addr, nil)
	if got := Fasthttp(&fast); got != want {
		t.Errorf("%s %q: fasthttp: %v, want %v", peer, request, got, want)
	}
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	req.RemoteAddr = addr.String()
	if got := HTTP(req); got != want {
		t.Errorf("%s %q: net/http: %v, want %v", peer, request, got, want)
	}
}

func TestLocal(t *testing.T) {
	const curl = "GET /api/v2/query HTTP/1.1\nHost: 127.0.0.1:8080\nAccept: */*"
	f := func(headers string, want Finding) {
		t.Helper()
		both(t, "127.0.0.1", curl+headers, want)
	}
	f("", Yes)
	f("\nX-Request-Id: 7\nAuthorization: Bearer x\nX-Custom: 1\nUser-Agent: curl/8.14.1", Yes)
	f("\nX-Prometheus-Scrape-Timeout-Seconds: 10", Yes)
	f("\nConnection: close", Yes) // Python's urllib
	for _, peer := range []string{"::1", "127.8.9.10", "::ffff:127.0.0.1"} {
		both(t, peer, curl, Yes)
	}
	for _, peer := range []string{"203.0.113.7", "10.0.0.1", "2001:db8::1"} {
		both(t, peer, curl, RemotePeer)
	}

	for _, name := range strings.Fields(`X-Forwarded-For x-forwarded-for X-Forwarded-Host X-Forwarded-Proto X-Forwarded-Server X-Forwarded
		Forwarded Via X-Real-IP True-Client-IP CF-Connecting-IP CF-Ray X-Client-IP X-Cluster-Client-IP Fastly-Client-IP Fly-Client-IP
		X-Original-Forwarded-For X-Original-URL X-Envoy-External-Address X-Amzn-Trace-Id X-Azure-ClientIP CloudFront-Viewer-Country
		X-ProxyUser-Ip Proxy-Client-IP WL-Proxy-Client-IP Client-IP X-Remote-Addr X-Varnish CDN-Loop X-Forward-For X-Scheme
		DO-Connecting-IP Tailscale-User-Login X_Forwarded_For x_real_ip HTTP_X_FORWARDED_FOR Z-Forwarded-For X-Forwarded-By
		My-Forwarded-Host X-ImForwards Max-Forwards X-Cdn-Src-Ip Source-IP X-Backend-Via X-RealIP RealIP X-SSL-Client-Cert SSL-Client-Verify
		X-Client-Verify X-Auth-Request-User X-Kong-Request-Id X-Squid-Error X-BlueCoat-Via Surrogate-Capability X-Request-Start
		X-Https Remote-User X-WebAuth-User X-Rewrite-URL X-Azure-FDID Early-Data Client-Cert X-MWG-Via Remote_Addr
		X-Port X-Proto X-Protocol X-Country-Code X-Geo-Country GEOIP_COUNTRY_CODE X-Region X-City X-Authenticated-User
		Ngrok-Trace-Id X-Tunnel-Authorization`) {
		f("\n"+name+": 198.51.100.7", ProxyHeader)
	}
	f("\nX-Forwarded-For:", ProxyHeader)
	// Folded into the header before.
	f("\nX-Custom: 1\n X-Forwarded-For: 198.51.100.7", ProxyHeader)
	f("\nX-Custom:\n\tVia:1.1 a", ProxyHeader)
	f("\nX-Custom: 1\n  x_real_ip : 198.51.100.7", ProxyHeader)
	f("\nReferer: http://127.0.0.1:8080/a?b=c:d", Yes)
	f("\nX-Zip: a:b\nDescription: a real thing: x\nX-Relationship: 1\nBackwards: 1", Yes)

	f("\nOrigin: http://127.0.0.1:8080", Yes)
	f("\nSec-Fetch-Site: none", Yes)
	f("\nSec-Fetch-Site: same-origin\nReferer: http://127.0.0.1:8080/debug/pprof/", Yes)
	for _, header := range []string{"Origin: https://evil.example", "Origin: null", "Origin: http://127.0.0.1:9999",
		"Origin: http://localhost:8080", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
		"Sec-Fetch-Site: anything", "Referer: https://evil.example/page", "Referer: nonsense"} {
		f("\n"+header, OtherOrigin)
	}
	f("\nUser-Agent: Mozilla/5.0 (X11)\nConnection: close", OldProtocol)
	f("\nSec-Ch-Ua-Mobile: ?0\nConnection: close", OldProtocol)
	both(t, "127.0.0.1", "GET / HTTP/1.0\nHost: 127.0.0.1:8080\nConnection: close", OldProtocol)

	host := func(host string, want Finding) {
		t.Helper()
		both(t, "127.0.0.1", "GET / HTTP/1.1\nHost: "+host, want)
	}
	for _, name := range []string{"localhost", "LOCALHOST:8080", "localhost.:8080", "millrace.localhost", "127.0.0.1",
		"127.1.2.3:80", "[::1]", "[::1]:8080"} {
		host(name, Yes)
	}
	for _, name := range []string{"evil.example", "evil.example:8080", "stats.example.com", "localhost.evil.example",
		"notlocalhost", "127.0.0.1.evil.example", "203.0.113.7", "10.0.0.1:8080", "2130706433", "0.0.0.0"} {
		host(name, OtherHost)
	}
	// The address of a request line counts for more than Host.
	both(t, "127.0.0.1", "GET http://evil.example/ HTTP/1.1\nHost: 127.0.0.1:8080", OtherHost)
}
