// Package disaster plays the disasters of docs/disaster.md with the real program, and measures what
// each costs.
//
// In go the page and the source of the program; out come, for each section of the page, the events
// that were lost for good (RPO) and the seconds from the first command to right numbers (RTO).
//
// A test serves a known set of events, does the harm, runs the commands of its section word for
// word, and compares every number with what was sent. The page and the tests can't drift apart: a
// section without a test fails, as does a block of commands that no test has run.
//
// What of a command is not as on the page: /var/lib/millrace, /srv and /etc/millrace are folders in
// a temporary one; systemctl starts and stops the program as deploy/systemd does; chown and apt
// do nothing, and runuser runs the command; what Kafka's scripts delete is deleted by its protocol;
// Kafka is the embedded broker in the test's process, and a bucket is a folder. InfluxDB is a real
// one, and the loss of a bucket is played with a real S3 server, too: with what deploy/dev-services.sh
// has started. A lost broker and a deleted topic are played on the three brokers of Apache Kafka that
// deploy/dev-kafka.sh has started, where systemctl start kafka starts the broker again. Without the
// servers these are skipped.
//
// The tests of the page are part of go test ./...; the disasters are built with -tags disaster, as
// what they link takes longer to compile than the page to test, and played with -play.
//
// It does not measure speed: a disaster's time depends on the machine and on what else it does.
package disaster
