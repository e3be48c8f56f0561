// Package deadletter is the topic millrace.dead: the form of its records, and the way for an
// operator to read them and to put what they hold back into its own topic.
//
// In go the coordinates, key and value of a record of any topic and a reason; out comes one JSON
// object, the letter, and on the other side the same again:
//
//	{"v":1,"topic":"millrace.windows","partition":3,"offset":17,"reason":"…","key":"…","value":"<base64>"}
//
//	l := deadletter.Letter{Topic: topic, Partition: p, Offset: offset, Reason: why, Key: key, Value: value}
//	ctx.Emit(deadletter.Topic, key, l.Append(nil))
//
//	box, err := deadletter.NewBox(cluster.Names, kafkaOptions...)
//	err = box.Each(ctx, deadletter.Filter{Topic: topic}, func(e *deadletter.Entry) error { … })
//
// Beside the letters the topic has marks. A retry writes one before it puts the record back and one
// after:
//
//	{"v":1,"retry":{"topic":"millrace.events","partition":3,"offset":17,"state":"begun"}}
//	{"v":1,"retry":{"topic":"millrace.events","partition":3,"offset":17,"state":"done","to":9120}}
//
// Invariants:
//   - Parse(Append(x)) == x, but for a value longer than MaxValue, which is cut ("size" is how long
//     it was), and for texts longer than MaxText, which are too, so that a letter always fits into
//     a record of kafka.MaxRecordBytes: a letter that can't be written would stop the partition it
//     was to keep going. Invalid UTF-8 in reason and key becomes U+FFFD. A record without a value
//     (nil) has no "value".
//   - Parse and ParseMark are total: an error, never a panic.
//   - Box.Retry puts a record back at most once, unless it is forced: one that was cut short has
//     its first mark, and is not tried again by itself. It cannot be known whether its record was
//     written.
//
// Sizes are in bytes. Letter, Mark and Coord have no state, and any goroutine may use them. A Box
// belongs to one goroutine; cmd makes one, with the options by which Kafka is reached.
//
// It does not judge whether a record can be read now (cmd does, before it retries), nor write
// letters to Kafka: the role that sets a record aside does that, in its own way.
package deadletter
