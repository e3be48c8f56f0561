// Package rules keeps the engine's rules with the data: a serve leaves those that it runs with in
// the archive, where replay and import read them.
//
//	err := rules.Leave(ctx, store, own)     // serve, at its start
//	go rules.Watch(ctx, store, own, log)    // and as long as it runs
//
//	r, err := rules.Load(ctx, store)        // replay, import
//
// They are one object of package lake. An archive without it, of a build before or filled by import
// alone, is counted by the defaults. One that can't be read is an error that names the remedy: with
// other rules than the stream's, replay would write over windows that the stream fires again.
//
// Several serves share an archive, and should have the same rules. Where they differ, the one that
// started last is believed, except about the lateness: of the serves that run, the larger one
// stays, because a command that leaves too much alone can be repeated. A serve with a larger
// lateness than is kept notices within WatchEvery. So a lower lateness takes hold once all have
// been restarted with it.
//
// Beside the rules lies what the stream is counted by (Counting): the build, and what is configured
// of the sites, with the time since when, so that a recount does not compare what was counted before
// a change with what is counted after it. It is an object of the archive too, and a file of the
// data folder.
//
// It is called by the server and by package offline, from any goroutine.
package rules
