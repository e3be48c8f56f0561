// Package protocoltest tests protocols: it plays recorded requests to a collector, and holds what
// all protocols have in common.
//
// A protocol's folder has scripts, testdata/*.txt, in the form of
// github.com/cockroachdb/datadriven, and a test that runs them:
//
//	func TestScripts(t *testing.T) { protocoltest.Run(t, "testdata", Protocol()) }
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
// in front of them as it is. go test ./ingest/protocol/... -rewrite writes the outcomes into the
// scripts; read the difference.
package protocoltest
