// Package smallfile reads small files whole: settings, keys, what is kept in the data folder.
//
// In goes a path and the most bytes that the file may have; out comes its content:
//
//	data, err := smallfile.Read("/etc/millrace/sites.yaml", 16<<20)
//
// Invariants:
//   - What is no regular file is an error, before it is opened: a named pipe without a writer would
//     hold a start up for ever, a device may never end. Symbolic links are followed, as Kubernetes
//     mounts its files by.
//   - A stream that the caller was handed is read to its end: /dev/stdin, and /dev/fd/63, which a
//     shell puts for <(…). Its other end was opened by whoever wrote the command. So is /dev/null,
//     which is empty for everybody.
//   - Errors are *fs.PathError of this path, or wrap one: fs.ErrNotExist and the like are found in
//     them.
//
// It is no reader for archives, logs and databases, which are large.
package smallfile
