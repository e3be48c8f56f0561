// Package kafkatest gives tests an empty real Kafka cluster.
//
// In goes the variable MILLRACE_TEST_KAFKA, as deploy/dev-kafka.sh prints it; out come the brokers'
// addresses, behind which there are no topics and no consumer groups but Kafka's own. Without the
// variable a test is skipped.
//
// Invariants: one test at a time has the cluster, also of several processes, until it ends; the
// next one finds nothing of it.
//
// It starts nothing: package services does.
package kafkatest
