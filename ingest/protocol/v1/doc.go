// Package v1 is Millrace's own protocol: POST /v1/events takes an event, a JSON array of events, or
// NDJSON.
//
// docs/events.md describes it. Its senders are programs whose author reads the answer, so an event
// with a field that is unknown, too long or of another type is refused, and with it the whole
// request; the answer names the field:
//
//	{"error":"events[3].props: a JSON number, want an object"}
//
// Trusted callers may send ts, ip, ua and visitor. They are servers: without ua the user agent of
// the request is not taken for the visitor's.
//
// Parse reads the same events from anything; package importer does so from files.
//
// Accepted is 202 {"accepted":N}, refused is the status of the Refusal with {"error":"..."}.
// Clients send again at 429 and 503.
package v1
