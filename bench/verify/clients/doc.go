// Package clients runs the libraries that sites send their events with, as they are published, and
// has the table of what each does with each answer.
//
// In go the folder of the scripts with their packages (node/, after npm ci), the program and an
// Answer; out come what the client did and was told, and what was counted.
//
//	m, err := clients.Start(ctx, exe, dir, sites)         // millrace serve, on its defaults
//	refusers, err := clients.StartRefusers(ctx, all.Protocols(), keys)
//	fault, err := refusers.Fault(clients.Unavailable)
//	p, err := clients.StartProxy(m.URL, fault, 1, nil)
//	out, err := clients.Run(ctx, node, script, clients.Job{URL: p.URL, Token: "7", ...})
//	cell := clients.Cell{Status: p.Status(), Does: out.Does(clients.Unavailable, p.Requests()), Sees: out.Sees()}
//
// A client sends its event to the proxy, which answers the first request otherwise than the
// collector: with what a collector writes for a refusal (Refusers has real ones, whose protocols
// refuse each request), as a proxy without a collector, by closing the connection, or by losing the
// answer of a request that has been taken. What comes after that is the collector's. So the test
// sees whether the client sends again, and the query API how often that counts.
//
// Table is what the test holds each (client, answer) to, and docs/trackers.md is made of it: go
// test ./bench/verify/clients -rewrite. The test of the clients themselves needs node and the
// packages, in a copy of node/ after npm ci that MILLRACE_TEST_CLIENTS names; .ci/run clients has
// that.
//
// A client whose Token is a secret of servers (Client.Secret) has it as a write key of the site.
//
// To add a client: its package in node/package.json with an exact version (npm install
// --omit-lockfile-registry-resolved makes the lock file, without the host of a registry), a script,
// a row of Table, and testdata/counted.txt by -rewrite.
//
// Invariants:
//   - Nothing of a client is changed but the address that it sends to, by the way it documents.
//   - A client has its own process. When it ends by itself there is nothing left to be sent, so no
//     time has to pass for "final".
//
// It does not: run browsers, measure speed, or send to anywhere but loopback addresses.
package clients
