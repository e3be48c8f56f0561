// Package services builds, starts and stops the real servers that integration tests run against: InfluxDB and an
// S3 server, from their Go modules, without containers and without installing anything.
//
// In goes a folder; out come processes on free loopback ports, and the addresses of a database and a bucket that
// are ready to be used. In the folder are bin/ (built servers, by version), run/ (data, logs, and one JSON file per
// running server).
//
// Invariants:
//   - A server listens on loopback only, and nobody reports home.
//   - Up is idempotent: a server that runs and answers is used as it is.
//   - Down ends the processes that Up started and no others: a process is ended only if it still runs the program
//     that was started under its id.
//
// It is for tests, continuous integration and trying out at home: deploy/dev-services.sh is its command line. Data is
// kept until Down, which removes it.
//
// It knows nothing of Millrace, and is no way to run anything in production.
package services
