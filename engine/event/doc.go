// Package event is the canonical message of Millrace: one visit-site beacon, and the envelope that
// carries a batch of them through the topic millrace.events.
//
// In go the fields a collector knows; out come JSON envelopes (Append) and, on the other side, the same
// fields again (Decoder). The JSON Schema beside the code, schema/events.v1.json, says the same thing to
// programs in other languages, and a test holds the two together.
//
// Invariants:
//   - An event carries what the client said and nothing that depends on later logic: the user agent
//     stays raw, so that a parser bug is repaired by replay.
//   - It never carries an IP address.
//   - All events of an envelope belong to one partition of the topic. The record's key names that
//     partition (Key), Hash reads it back, and Partition computes it from site and shard, so that
//     collector, engine and changelog agree on the partition by construction.
//   - An envelope without events is a tick: it moves the watermark and nothing else.
//   - Decoding is total: any bytes give an envelope or an error, never a panic.
//   - A Decoder has a fast way and a general one. What the fast way reads, the general one reads alike, and the fast way
//     reads all that Append writes.
//
// Units: Time is in milliseconds since the Unix epoch, UTC. Money is in ten-thousandths of the
// currency's unit.
//
// The package is a leaf: it imports nothing of Millrace, and everything else imports it. A Decoder may be
// used by one goroutine at a time; all functions may be called from anywhere.
//
// It does not: validate what a client sent (package ingest does), parse user agents or referrers
// (package engine does), or talk to Kafka.
package event
