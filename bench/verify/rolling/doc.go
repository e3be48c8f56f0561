// Package rolling replaces one build of Millrace by another, process by process, while beacons come,
// and checks that every event that was taken is counted once, in its own minute, and archived once.
//
// In go two programs (Build makes them of commits) and where Kafka, InfluxDB and a bucket are, or
// nothing: then it starts its own. Out comes a Report: figures, and a line for each thing that is
// wrong.
//
//	report, err := rolling.Run(ctx, rolling.Options{Old: "yesterday", New: "today", Rate: 200, Quiet: 20 * time.Second})
//
// The processes are those of the chart in mode cluster, each with a role and a data folder of its
// own: two that collect, two that process with a standby, one each that emits, archives and answers
// queries. They are replaced as Kubernetes does it: of a Deployment (all roles but process) the new
// process comes first, and the old one is sent SIGTERM once the new one is ready; of the
// StatefulSet (process) the old one ends first, and the new one starts on its folder. The order of
// the roles is such that each build reads what the other one writes for as long as possible:
// collectors first and last, and between the two processors everything else.
//
// The load is open: an event has a time at which it is due, and its latency counts from then on.
// Senders are behind a balancer, which knows by /readyz?role=collect who takes beacons: what was
// not answered, or with 503, is sent again with the same id to the other collector.
//
// What is compared:
//   - the log with what was sent: each id that was answered with 2xx is there, with the time of a
//     moment between sending and answer;
//   - InfluxDB with package oracle, which counts the log: every minute and every window of visits,
//     in all families;
//   - the archive with the log: each event at its offset, none missing or twice;
//   - the query API with the number of events, by rollups and by hits, where the last build has hits; and
//     that there is no dead letter.
//
// A pause is how long a partition got no record of the changelog: its collectors send ticks every
// second, so there is always something to count. Times of records are those of the changelog's
// producers, which run on one machine here.
//
// Units: sizes are bytes, event times event.Time, other times wall clock.
//
// It is called by cmd and by its own tests. It does not measure how fast Millrace is: what counts of
// a latency is its ratio to that of the same run without an upgrade.
package rolling
