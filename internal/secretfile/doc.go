// Package secretfile reads files of secrets: keys, passwords, URLs with a password.
//
// In goes the path or the content of a text file with a secret a line; out come the lines, without
// those that are empty or begin with #:
//
//	lines, err := secretfile.Read("/run/secrets/write-keys", true)
//
// Invariants:
//   - No error has anything of the content, or the path: the caller names it.
//   - A file has at most MaxBytes, and is what package smallfile reads; one without a line is an
//     error.
//
// cmd/millrace calls it for flags that end in -file, package site for the files of keys that a
// file of sites names, the clients of stores and Kafka for files of credentials. It does not know what a secret is for.
package secretfile
