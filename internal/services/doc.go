// Package services gets, starts and stops the real servers that integration tests run against, without containers and
// without installing anything: InfluxDB and an S3 server from their Go modules, and Apache Kafka by Maven.
//
// In goes a folder; out come processes on free loopback ports, and the addresses of a database and a bucket that
// are ready to be used. In the folder are bin/ (built servers, by version), run/ (data, logs, and one JSON file per
// running server).
//
// Invariants:
//   - A server listens on loopback only, and nobody reports home.
//   - Up is idempotent: a server that runs and answers is used as it is.
//   - A cluster of Kafka that was not started with Detached ends with the process that started it, even by kill -9.
//   - Down ends the processes that Up started and no others: a process is ended only if it still runs the program
//     that was started under its id.
//
// It is for tests, continuous integration and trying out at home: deploy/dev-services.sh and deploy/dev-kafka.sh are its
// command lines. Data is kept until Down or Kafka.Remove, which remove it. A test of what happens when brokers die has its own
// cluster: StartKafka, and then Kafka's Stop, Kill, Pause, Resume and Restart.
//
// It knows nothing of Millrace, and is no way to run anything in production.
package services
