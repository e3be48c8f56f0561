// Package kafka holds what every goka processor of Millrace needs to be right on a Kafka cluster:
// client settings that lose nothing, topics made by us, and offsets committed only over the
// contiguous prefix of finished records.
//
// In go broker addresses, how they are connected to (Security) and a dialer; out come goka options.
// goka marks a record when that record's own promises are done, Sarama keeps the largest mark, and
// so a later record commits past an earlier one that is in flight or failed. Group puts itself between the two: a mark counts only
// once every record delivered before it is marked too, and the commit is a request of our own, so
// that what has been committed is known and not hoped (rules J4 and J8 of the design).
//
// Invariants:
//   - The committed offset of a partition never passes a record whose processing is not finished.
//   - A commit is sent with the member's id and generation: a member that has lost its partition is
//     refused by the broker.
//   - An offset that the broker no longer has is an error, never a silent reset.
//
// Two client libraries meet here. What goka's processors need (Cluster, Group, Offsets) goes
// through Sarama, which goka brings: one Config, dialer and protocol version for all of it, and
// Sarama's texts in the errors. What has a franz-go client (CheckUses, Bounds) takes that, and kadm
// where its answers are enough; where they are not, the reason stands beside the request. Both are
// made of one Cluster: Config and ClientOptions have the same dialer, which speaks TLS, and the same
// login. Errors of both that are about these are in the words of serve's flags (Explain).
//
//	cluster := &kafka.Cluster{Brokers: []string{"localhost:9092"}}
//	err := cluster.EnsureTopics(ctx, kafka.Topic{Name: "windows", Partitions: 12})
//
// Any number of goroutines may use a Cluster. The package knows nothing of events, windows or
// states.
package kafka
