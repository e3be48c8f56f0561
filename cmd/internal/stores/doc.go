// Package stores opens the stores that a process uses: the archive, and a rollup store, which is
// local, an InfluxDB, or that of a serve which runs on the same data folder.
//
// In go addresses and folders as operators write them; out come open stores in a Set:
//
//	if err := stores.Validate(influx, s3); err != nil { … } // a usage error
//	set.Lake, err = stores.OpenLake(s3, dir.Lake())
//	set.Local, err = stores.OpenLocal(dir.Rollups(), log)
//	reader, sink := set.Rollups(), set.ReplaySink()
//
// Invariants:
//   - Opening makes no request over the network: a store that is away for now stops no start.
//   - No error and no log line has a password or what visitors sent.
//
// It is called by the server, its roles and the commands that read or change stores. It locks nothing, and whoever
// opens a store closes it.
package stores
