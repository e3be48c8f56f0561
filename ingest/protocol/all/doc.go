// Package all is the list of the protocols that the collector speaks.
//
// It is the one place of the program besides a protocol's own folder that is changed when a protocol
// is added: a line here. cmd passes the list to the collector (ingest.Options.Protocols).
//
// # Scripts
//
// The tests of this package play recorded requests to a collector, each protocol's alone and, where
// it shares a path, once more beside all others. They do so for all protocols, so that no other test
// has to link a collector and a broker; the scripts themselves are in the protocol's folder,
// testdata/*.txt, in the form of github.com/cockroachdb/datadriven. Those in testdata here are about
// paths that protocols share, and about a made-up protocol (tracker_test.go).
//
// A script sends requests as clients send them to a collector with the protocol, over a connection
// in memory and with a broker in the process, and has the whole outcome as its expectation: the
// answer with its headers, and the events that are in the topic then.
//
//	open sites=(a.example, b.example)
//	----
//
//	request from=198.51.100.7
//	POST /v1/events HTTP/1.1
//	Host: stats.example
//	User-Agent: Mozilla/5.0 (X11; Linux x86_64)
//
//	{"site":"a.example","name":"pageview"}
//	----
//	202 Accepted
//	Access-Control-Allow-Origin: *
//	Content-Type: application/json
//	body: {"accepted":1}
//	event: {"id":"(new)","site":"a.example",...}
//
// The directives:
//
//   - open closes the collector and opens another, over an empty topic. Arguments: sites=(...) the
//     configured sites, any for others too, dnt=(...) those of the sites that honour opt-outs,
//     tokens=(SITE:TOKEN ...), keys=(KEY, KEY@SITE+SITE) write keys and what they are good for,
//     proxies=(...) trusted networks, country-header=NAME, site-rate=N. Without it a script has a
//     collector that takes any site.
//   - request sends the request that is its input: a request line, headers, and a body behind a
//     blank line. Content-Length is added. Arguments: from=ADDRESS of the client, otherwise
//     203.0.113.77; pack=gzip (deflate, br, zstd) packs the body, whatever the headers are.
//   - each METHOD PATH sends a request for each line of its input, which is the body of a POST or
//     the query of a GET, and shows of each outcome the status, the body, the headers X-..., and of
//     each event the fields that are not the same in all. Arguments: from=ADDRESS, header=(NAME:
//     VALUE).
//
// The clock stands at 2026-03-04T05:06:07Z and the secret is fixed, so that visitors and
// fingerprints are the same in each run. Ids that the collector makes are shown as "(new)", what is
// in front of them as it is. go test ./ingest/protocol/all -rewrite writes the outcomes into the
// scripts; read the difference.
package all
