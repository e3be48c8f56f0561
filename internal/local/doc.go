// Package local decides whether a request was made on this machine: the one rule for who is trusted without a key.
//
// What goes in is a request, as fasthttp or net/http have it; what comes out is a Finding, Yes or the first reason against it.
// A request is local if
//
//   - its peer is a loopback address,
//   - it has no header that proxies and CDNs add (X-Forwarded-For, Forwarded, Via, X-Real-IP, ...), even an empty one, one
//     spelled with "_", or one in a folded line; names are known by rules (what contains "forward", what ends in "-ip") and a list,
//   - it is not HTTP/1.0, which nginx sends by default, and no browser's with "Connection: close", which nginx sends with
//     "proxy_http_version 1.1": curl and libraries use HTTP/1.1, and browsers keep connections,
//   - it was not made by a page of another origin (Origin, Sec-Fetch-Site, Referer): any page that the operator looks at
//     can make his browser do so, and
//   - its Host is a loopback name (localhost, *.localhost, 127.0.0.0/8, ::1), so that a page that rebinds its own name to
//     127.0.0.1 finds nothing.
//
// For example
//
//	switch f := local.Fasthttp(ctx); {
//	case f == local.Yes: // trusted
//	case f.Proxied(): // came through a proxy
//	}
//
// What it can't see is a proxy on this machine that speaks HTTP/1.1, adds no header, and either sets a loopback Host or passes
// on one that the client made up. No header tells such a request from curl's. Behind a proxy operators therefore set keys, or
// --no-loopback-trust.
//
// It keeps no state, and logs nothing.
package local
