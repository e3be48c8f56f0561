// Package offline is replay, recount, import and forget: the commands that read and change archive and rollup store
// without being a serve, alone or beside one.
//
// In go addresses of the stores, ranges and files; out come reports. A Session has the stores open:
//
//	s, err := offline.Open(offline.Options{Data: "./data", Version: version, Log: log})
//	defer s.Close()
//	o := offline.ReplayOptions{Mode: replay.Verify, NewDeriver: derive, Log: log}
//	report, err := s.Replay(ctx, o)
//
//	i, err := s.NewImport(ctx, offline.ImportOptions{Format: importer.Combined, Site: site, …})
//	report, err := i.Run(ctx, files)
//
// Invariants:
//   - Windows that a serve has fired, or may yet fire, of events that are not archived are left as
//     they are.
//   - An import that was cut short is completed by repeating it; repeating a whole one changes
//     nothing.
//   - A data folder is used under its lock, or through the serve that holds it; by Forget beside it, since an archive is anybody's.
//   - Forget done again does what is left of it: it notes the erasure first, waits until the archivers have it, and takes rows out then.
//   - A recount of days (RecountDays) makes windows and hits of one pass. It refuses other rules than the stream's, and days that may still change.
//   - Hits of imported events are what windows count of them: an import makes both, and so does a replay that writes.
//
// It is called by the commands replay, recount, import and forget, and by serve: for the past of its demo sites, and
// by the self-audit, which counts one closed hour at a time (Recount), unless a command is at work (Busy). A
// Session belongs to one goroutine. It reads no flags and prints nothing but log lines: what a step
// has done so far goes to the caller's Steps.
package offline
