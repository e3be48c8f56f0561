// Package roles has the roles that run in the background: process, emit and archive.
//
// In go what a role reads and writes (Kafka, a state folder, a store); out comes a Task: the
// function that does the work, and what its start and readiness need to know.
//
//	t, err := roles.NewArchive(roles.ArchiveOptions{Common: common, Lake: lake, …})
//	g := gate.New(gate.Options{Name: t.Role, Probe: t.Probe, Waiting: t.Waiting, Log: log})
//	supervise.Start(ctx, t.Role, log, g.Guard(t.Run))
//
// A Probe tries what its role needs by the operations that the role uses and no others, so that
// keys with the least rights will do:
//
//	process  reads events, writes windows, changelog and dead letters; a file in the state's folder
//	emit     reads windows, writes dead letters; writes a point to InfluxDB and reads, or reads
//	         the local store
//	archive  reads events; puts an object, gets it and lists
//
// The collector proves its right to write events by a tick each second, and the query API is
// watched by the server: they are not tasks.
//
// Invariants:
//   - Making a Task makes no request, and registers its metrics, once in a process.
//   - Run returns once its context ends, with what it has in hand acknowledged and committed, and
//     may be called again after it has returned.
//   - A rule of the engine has one source, State.Rules: the state, its guard and the engine read
//     it there.
//
// cmd/internal/server makes and starts the tasks. The package starts no goroutine, keeps no
// member out of a consumer group (package gate does) and restarts nothing (package supervise
// does).
package roles
