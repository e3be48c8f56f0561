// Package testtmp is for packages whose tests make, sync and delete thousands of small files: stores,
// segments of the log, archives. On a disk that takes a tenth of the processor time of go test ./...,
// and the tests wait for it besides.
//
// It changes where temporary folders lie, of the process of the tests and of those that they start:
// in memory, where Linux has room there. That every byte also goes through a disk is for .ci/run,
// which sets TMPDIR. With -short and with -bench, and with a Kafka to test against, it changes nothing.
package testtmp
