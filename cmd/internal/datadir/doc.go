// Package datadir is the data folder of one Millrace process: its lock, its secret, its collector's name and the
// places of what lies below it.
//
// In goes a path; out come a held lock and paths. The folder holds
//
//	lock               held by the process that uses the folder, free as soon as that process ends
//	secret             64 hexadecimal digits: the 32 bytes that visitor ids are keyed with (mode 0600)
//	collector-id       the name under which this folder's collector writes watermarks
//	salts              what visitors without ids of their own are hashed under, by date; package salt has it
//	import-salt        the same for imports, for two days behind the last one; import-salt.lock is
//	                   held by the process that makes or destroys it
//	quotas.json        what this folder's collector has counted of the quotas of sites
//	counted-by         what the stream was counted by last; package rules has it
//	demo-history.json  how much of the demo's past is there
//	broker.sock, rollups.sock
//	                   by which other commands reach the broker and the rollup store of a serve
//	log-identity.json  which log all of this was made of; package lineage has it
//	broker/            the embedded broker's log
//	state/             the engine's state; may be deleted while nothing runs, it comes back from the changelog
//	rollups/           the local rollup store; rebuilt by replay
//	lake/              every raw event as Parquet
//	spool/             events that were answered with 2xx while Kafka did not take them, and are not in it yet
//
// Invariants:
//   - Two processes never hold the same folder.
//   - secret and collector-id are written whole or not at all, and never change once they are there: another secret
//     would make every visitor of today a new one, another collector id would hold back the watermark for a while.
//
// It is called by cmd alone, by one goroutine. It knows nothing of what is in the folders below.
package datadir
