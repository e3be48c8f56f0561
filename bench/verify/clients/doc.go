// Package clients runs the libraries that sites send their events with, as they are published, in
// node and in pages that a Chromium opens, and has the table of what each does with each answer.
//
// In go the folders of the scripts with their packages (node/ and browser/, after npm ci), the
// program and an Answer; out come what the client did and was told, and what was counted.
//
//	m, err := clients.Start(ctx, exe, dir, sites)         // millrace serve, on its defaults
//	refusers, err := clients.StartRefusers(ctx, all.Protocols(), keys)
//	fault, err := refusers.Fault(clients.Unavailable)
//	p, err := clients.StartProxy(m.URL, fault, 1, nil)
//	out, err := clients.Run(ctx, node, script, clients.Job{URL: p.URL, Token: "7", ...})
//	does := out.Does(clients.Unavailable, p.Requests(), p.Before(out.Idle))
//	cell := clients.Cell{Status: p.Status(), Does: does, Sees: out.Sees()}
//
// In a browser it is a page that sends, of a site that Pages serves:
//
//	pages := clients.StartPages(browser)
//	b, err := chromium.Start(drive, pages.Address)
//	tab := &clients.Tab{Browser: b, Pages: pages}
//	out, err := tab.Open(ctx, "posthog-js.html", job, time.Minute)
//
// A client sends its event to the proxy, which answers the first request otherwise than the
// collector: with what a collector writes for a refusal (Refusers has real ones, whose protocols
// refuse each request), as a proxy without a collector, by closing the connection, or by losing the
// answer of a request that has been taken. What comes after that is the collector's. So the test
// sees whether the client sends again, and the query API how often that counts.
//
// Table is what the test holds each (client, answer) to, and docs/trackers.md is made of it: go
// test ./bench/verify/clients -rewrite. The test of the clients themselves needs node, Chromium and
// the packages, in copies of node/ and browser/ after npm ci in a folder that MILLRACE_TEST_CLIENTS
// names; .ci/run clients has that.
//
// A client whose Token is a secret of servers (Client.Secret) has it as a write key of the site.
//
// To add a client: its package in node/package.json or browser/package.json with an exact version
// (npm install --omit-lockfile-registry-resolved makes the lock file, without the host of a
// registry), a script or a page, a row of nodeTable or browserTable, and testdata/counted by
// -rewrite. A page has its package as a site would have it: /packages/ are the installed ones. Of a
// script that is published inside a whole program, in a package or a Go module, there is one file
// (Parts), which the test fetches. Matomo's page script is in no registry of packages, and so is
// not here; the libraries for pages of that name load it.
//
// Invariants:
//   - Nothing of a client is changed but the address that it sends to, by the way it documents.
//   - A client of node has its own process. When it ends by itself there is nothing left to be sent,
//     so no time has to pass for "final".
//   - A page does not end: it is open for minutes of a time that goes as fast as there is nothing
//     to do, and what comes while it is left or opened once more was "kept".
//   - Chromium sends a request again by itself where a connection that was used before is reset. So
//     the proxy keeps no connection open but those of events, and the first of these has a new one.
//
// It does not: measure speed, or send to anywhere but loopback addresses.
//
// A published client of the query API (npm's plausible, of the Stats API v1) is run likewise, by a test
// of its own, about an imported log and about who is there now; and the examples of the public references
// are asked.
package clients
