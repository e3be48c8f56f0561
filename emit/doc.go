// Package emit moves fired windows from the topic millrace.windows into a rollup store.
//
// In go records of windows and progress; out go batches of both, to a [Sink]. A store implements
// Sink: emit/local on the disk, emit/influx in InfluxDB. The [Consumer] is the same for each of
// them: it reads the topic as a member of the sink's consumer group, gathers batches, and commits
// an offset when the sink has what it holds.
//
//	c, err := emit.New(emit.Options{
//		Sink: store, Brokers: cluster.Brokers, Goka: cluster.GokaOptions(…), Log: log,
//	})
//	…
//	err = c.Run(ctx) // until ctx ends; may be called again after an error
//
// # Invariants
//
//   - A record is committed after the sink has acknowledged its window or progress, or after its
//     dead letter is in the topic millrace.dead. A sink that is away for hours loses nothing: Kafka
//     holds the windows.
//   - Windows of a partition reach the sink in the order of the topic, except that a newer firing
//     takes the place of one of its window that still waits, which is left out. Its record is
//     committed with the newer one's. Of the windows and the progress in one batch the sink takes
//     the windows first, so that progress never gets ahead of them.
//   - A record that can't be decoded, or that the sink can never store, becomes a dead letter with
//     its reason.
//   - A batch carries a fence: a process that stood still, and may have lost its partitions without
//     knowing, is stopped before its next request.
//   - Memory is bounded by Intake.MaxPending, however long the sink is away.
//
// # Units
//
// Sizes are bytes of records as they are in the topic.
//
// # Who may call it
//
// cmd makes a Consumer and runs it, by one goroutine at a time. Any number of processes share the
// topic by the consumer group.
//
// A store that is to serve all of Millrace also has the methods of query.Reader, Replace (of
// replay), Check or Probe for readiness, and Close; emittest and readertest are the suites that it
// has to pass.
//
// It does not know which version of a window is stored: what is older than that is left out by the
// sink (rule J10). It creates no topics and reads no rollups.
package emit
