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
// What was removed is deleted by the owner, and its next commit says so:
//
//	sweeper := commits.NewSweeper(commits.SweepOptions{Grace: time.Hour})
//	change.Deleted, err = sweeper.Sweep(ctx, chain)
//	n, err := sweeper.Orphans(ctx, chain) // at the start of an owner, and once a day
//
// # In the store
//
//	hits/millrace.events-3/dt=2026-11-23/….parquet                 files (FileName)
//	hits/millrace.events-3/_ledger/….bin                           checkpoints of the reading of the log (CheckpointName)
//	hits/millrace.events-3/_fold/VERSION-SUM.json                  the State at a commit, every 32 commits
//	hits/millrace.events-3/_delta_log/VERSION.json                 a commit, and what it does to the table of hits
//	hits/millrace.events-3/_delta_log/VERSION.checkpoint.parquet   the table at a commit, with each fold
//	hits/millrace.events-3/_delta_log/_last_checkpoint             names the newest of them, and the fold
//	visits/millrace.events-3/…                                     the same of the table of visits, without _ledger and _fold
//
// An entry of the log of hits holds the commit's record as it was (commitInfo.millrace): our own readers apply these, with the
// code that the owner applies the topic with, from the newest fold on. To others it is a Delta table of reader version 1; its
// writer feature "millrace" keeps them from writing. VERSION counts the commits that counted, and is the same in both tables.
//
// Imported files have a chain too, hits/imports-0/, visits/imports-0/, which any import writes. Its log is no topic: there may be no Kafka. It is
// a folder of objects that are put where there is none (StoredLog), hits/imports-0/_commits/OFFSET.json.
//
// # Epochs
//
// What is published decides what there is; the topic decides in what order it goes on. Who commits on a commit has published that
// before, so at most the last one that counted is not published. Open finds out where this does not hold, because the topic was
// lost or another one, or because the archive was lost or an older one was put back. Then it writes a record that begins an epoch
// with the published state, on which the next commit of all writers is based. Commits of epochs before do not count any more.
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
//   - What a commit has erased stays erased in all states after it, whatever is made anew (Erasure). An epoch that begins with an
//     archive that was put back begins with the erasures that the topic still has.
//
// # Units
//
// Offsets are Kafka's: of File, Checkpoint and Change those of the topic of events, of State.Offset and Base those of the topic of
// commits. Times are event.Time; At is of a wall clock, all others are event time.
//
// # What it does not do
//
// It does not write or read files of hits, or take rows out of them; it does not decide what is merged, or find out how many partitions there are. It puts nothing
// conditionally, since few servers of buckets are right in that: the topic's order decides, and an entry that is there with other
// bytes is an error (ErrLog). Two owners that both find the topic lost, and one of which has a commit that it has not published,
// may put two entries of one version within the same moments; then readers of the tables get ErrPublished until the next fold.
package commits
