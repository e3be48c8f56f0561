// Package server runs the roles of the stream in one process: what millrace serve does.
//
// In go Options, plain values that are read elsewhere; out come a collector, an engine, an
// emitter, an archiver and a query API, as far as Options.Roles has them, until a context ends:
//
//	err := server.Run(ctx, server.Options{
//		Roles:  roles.All(),
//		Listen: "127.0.0.1:8080", Admin: "127.0.0.1:8081", Data: "./data",
//		…
//		Up:  func(up server.Up) { fmt.Println("listening on", up.URL) },
//		Log: log,
//	})
//
// # Start
//
// What can be refused is looked at first: options, folder, addresses, the collector's settings.
// Then the log is compared with what was made of it. Only then do roles start, so that a failed
// start logs its reason first. The order is
//
//  1. the data folder and its lock; the admin port, so that an operator sees the whole of it; the
//     public address, which is bound but not served: connections wait in the kernel
//  2. the certificate; the geo database; the broker, or the addresses of one; the guard of the log's identity
//     (package lineage); the collector's settings
//  3. topics; salts; stores and their socket; the support bundle; the comparison of the log
//  4. monitors, the watch of folders, the engine's rules and what is counted by, which are left with the archive
//     (package rules), then the roles in the background: archive, process, emit; the self-audit
//  5. the collector and the query API, which answer from here on; the watch of the file of sites;
//     the demo
//
// Readiness is true after the last step at the earliest, once its conditions hold.
//
// # Stop
//
// The steps are undone in the reverse order, so that what feeds another is gone before it:
//
//  1. Readiness is off, so that a balancer sends no more clients; for Options.Drain all else goes
//     on, and each answer ends its connection. Then the demo stops.
//     The file of sites is no longer followed.
//  2. The listener closes. Handlers in flight go on until Kafka has their events: their senders
//     get the 2xx.
//  3. The collector flushes what is left and sends a last tick.
//  4. The roles in the background stop: what they have in hand is acknowledged and committed.
//     None of it would be lost otherwise, but done again at the next start.
//  5. The stores close, after all who write to them.
//  6. The broker closes, after all its clients: a client that meets a closed broker waits and
//     retries.
//  7. The admin port closes, so that an operator sees the whole of it; the folder's lock goes last.
//
// A failed start is undone likewise, as far as it got. What makes going on wrong (a folder is
// removed, a server ends by itself) stops the process in the same order, with that error. Run
// gives up on a stop after 14 s.
//
// # Rules
//
//   - Errors and findings are in the words of serve's flags: the operator knows no other.
//   - Every goroutine is waited for by the stop.
//   - An error of a role does not end the process: the role starts again (package supervise), and
//     readiness has the reason. A log that is not the one it was ends the roles for good (package
//     lineage).
//   - A remote store or bucket that is away is no reason not to start, and none not to take
//     beacons.
//
// Units: durations are time.Duration, sizes bytes, rates per second or minute as the field says.
//
// # Files
//
// server.go has Run and the order, steps*.go the steps, options.go what is configured, validate.go
// what of it is refused. The other files do not know the order: each has one thing that a step
// opens, and gets what it needs as arguments; audit.go, which needs a part of all, has its step too.
//
//	folders     the data folder, and the watch of folders that may be removed
//	public      the public address       queries     who may ask, and the query API
//	cluster     broker and topics        guard       is the log the one that the state was made of
//	stores      rollups and archive      rules       the engine's rules, left with the archive
//	collector   Options to ingest.Options            sites       the file of sites, followed
//	support     what the support bundle shows of settings and topics
//	retention   deletes what sites keep no longer
//	audit       the self-audit, and what is counted by, left with the archive
//	background  the roles, their gates and conditions            demo    made-up traffic
//	closers     what a stop undoes
//
// cmd/millrace calls Run; tests run several servers in a process. The package reads no flags,
// environment or files of settings, and prints nothing but log lines. How a role works is in
// package roles, what /readyz answers in package admin.
package server
