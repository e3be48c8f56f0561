// Package identity finds the address of a sender behind trusted proxies, and turns what is personal
// about it into what Millrace keeps: an address into country, region and city, and address and user agent
// into a keyed hash.
//
// In go a network address, the headers of proxies, a user agent, a site, an instant, and the salts of
// dates; out come a Place and an event.Visitor.
//
// Invariants:
//   - Nothing that is returned allows the address to be recovered without the salt of its date;
//     nothing is kept that refers to it. (The Digest of a log's line, which has its address, can be
//     tried with the secret by who knows the rest of the line.)
//   - The same salt, site, address, user agent and date at the site give the same Visitor, on every
//     machine, for as long as there is the salt (package salt; Derived for imports).
//   - A hash under one date's salt says nothing about the hash under another's. Of the one hash
//     that stays the same a small remainder is returned (Shard).
//   - In the hour behind a site's midnight the Visitor of the date before comes along, by which
//     package visit ties the visit to the new one.
//
// Network takes what trusted proxies report of their clients; ProxyWatch warns of those that are
// not configured or report nothing.
//
// Units: Visitor is 64 bits, uniformly distributed, never 0. A Day is a date in a site's time zone;
// which zone that is the caller says (Rule, Moment), for each event. IPv4 addresses
// count whole, of IPv6 addresses the /64 prefix: a household gets a /64 and its devices rotate
// through it.
//
// All functions and methods may be called from any goroutine.
//
// It does not: parse user agents (package engine/enrich does), look at write keys (package ingest
// does), or store the secret and the salts (the caller and package salt do; whoever has the salt of
// a date can link an address to its visitors of that date).
package identity
