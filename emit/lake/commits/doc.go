// Package commits holds what is in the tables of hits and visits: which files, whoever writes them and whatever fails.
//
// Each partition of millrace.events has a chain of commits of its own. In go changes (add these files, remove those, the log is
// read up to here) as records of the topic millrace.commits; out comes a State, the fold of those that counted, and its
// published form: two Delta tables, which outside readers see whole snapshots of.
//
// The owner of a partition writes:
//
//	topics, err := commits.OpenTopics(cluster)
//	chain, err := commits.Open(ctx, commits.Options{Topic: event.Topic, Partition: 3, Log: topics.Partition(3), Store: store})
//	s := chain.State() // s.Next is where to go on in the log, s.Checkpoints() with what
//
//	key := commits.FileName(event.Topic, 3, s.Base(), commits.Hits, day, commits.Segment, first, next, 0, rules)
//	err = store.Put(ctx, key, body)
//	change := s.Change()
//	change.Add = append(change.Add, commits.File{Table: commits.Hits, Key: key, …})
//	change.Next, change.Watermark, change.Checkpoint = next, watermark, &commits.Checkpoint{…}
//	counted, err := chain.Commit(ctx, change)
//	if err == nil && !counted {
//		// drop what was made, and begin again with chain.State()
//	}
//
// A query reads, and needs the store alone:
//
//	r := commits.NewReader(commits.ReaderOptions{Store: store, Topic: event.Topic, Partitions: 4})
//	snapshot, err := r.Snapshot(ctx)
//	for _, s := range snapshot.Partitions {
//		for _, f := range s.Files(commits.Hits) { … }
//	}
//
// # Invariants
//
//   - The order of the topic decides: a commit names its base, and counts if that is the last commit that counted. All others are
//     passed over by everybody (rule L1).
//   - Objects are put, and the puts acknowledged, before their commit is written (L2). That is the caller's duty.
//   - A commit is reported to count when it has been read back (L3).
//   - The name of a file holds the base of its commit, and a hash of what it is made of (L4; FileName).
//   - An object that no state names is deleted only if its base is behind the last commit (L5), and one that was removed only when
//     its removal is older than the longest read (L6; Sweeper).
//   - A snapshot is the fold of the commits up to one point; nothing is found by listing a folder (L7).
//   - The published form is a function of the commits that counted: it is the same whoever writes it.
//
// # Units
//
// Offsets are Kafka's: of File, Checkpoint and Change those of the topic of events, of State.Offset and Base those of the topic of
// commits. Times are event.Time; At is of a wall clock, all others are event time.
//
// # What it does not do
//
// It does not write or read files of hits, decide what is merged, or find out how many partitions there are.
package commits
