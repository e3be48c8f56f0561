// Package support makes a bundle for whoever is asked for help: one .tar.gz of what a process is,
// how it is set and how it does, without secrets and without what visitors sent.
//
// In go functions that report on the parts of the process; out comes a handler for the admin port:
//
//	handler, lines := slog…, support.NewLines()
//	log := slog.New(lines.Keep(handler))   // the last lines are kept from here on
//	port.Handle("GET /support", support.New(support.Options{…}))
//
// Invariants:
//   - Settings come from a list of what may be shown (Options.Settings); a flag that is not named
//     there is not in the bundle.
//   - Names of sites are replaced by names made of a key that is forgotten with the bundle, the same
//     throughout a bundle, unless they are asked for (?names=yes). That holds for the configured
//     sites, for labels and attributes called site, and for these names wherever they stand in
//     texts.
//   - What can't be found out is an error in its file, and not of the bundle.
//
// A bundle is built in memory, some hundred kilobytes to a few megabytes. Any number may be asked for;
// one is built at a time.
//
// docs/operations.md lists the files; a new one belongs there, in files of bundle.go and in the
// test that looks for secrets (cmd/millrace).
package support
