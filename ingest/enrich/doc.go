// Package enrich turns what is personal about a sender into what Millrace keeps of it: an address into a
// country, and address and user agent into a keyed hash.
//
// In go a network address, the headers of proxies, a user agent, a site and an instant; out come an ISO 3166
// country code and an event.Visitor. The collector and the importers use the same code, so that a visitor
// found in an access log is the same visitor as the one whose beacon arrived that day.
//
// Invariants:
//   - Nothing that is returned allows the address to be recovered without the secret; nothing is kept that
//     refers to it.
//   - The same secret, site, address, user agent and UTC day give the same Visitor, on every machine and for
//     ever.
//   - A hash under one day's salt says nothing about the hash under another day's. Of the one hash that stays the same a
//     small remainder is returned (Shard).
//
// Units: Visitor is 64 bits, uniformly distributed, never 0. A day is a UTC day. IPv4 addresses count whole,
// of IPv6 addresses the /64 prefix: a household gets a /64 and its devices rotate through it.
//
// All functions and methods may be called from any goroutine.
//
// It does not: parse user agents (package engine does), decide whom to trust (package ingest does), or
// store the secret (the caller does; whoever has it can link an address to its visitors of any day).
package enrich
