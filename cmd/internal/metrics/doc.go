// Package metrics shows what the background roles count as Prometheus metrics.
//
// In goes a role's component (the engine, an emitter, the archiver), which counts by itself; out
// come counters, gauges and one histogram that read those counts when they are scraped:
//
//	metrics.Archive(port.Registry, archiver)
//	seen := metrics.NewEngine()
//	port.Registry.MustRegister(seen)
//	seen.Follow(processor, table) // at each start of the engine
//
// Invariants: names and labels are fixed in code, and a name is registered once in a process
// (registering it twice panics). No label holds a site, an address or anything else that a client
// sends.
//
// Units are in the names: _total, _seconds, _bytes, _records.
//
// A new metric of a role is a line in roles.go. One of the engine's partitions is a field of
// engine.Snapshot, filled by Core.Snapshot, and a line in engine.go. Both are rows of
// docs/metrics.md; TestAccounting in cmd/millrace adds the engine's up.
//
// Package roles calls it when it makes a role, the server for the certificate and for what it counts
// itself. It does not serve /metrics; package admin does. The collector, the HTTP ports, the file of
// sites and the self-audit register their metrics themselves.
package metrics
