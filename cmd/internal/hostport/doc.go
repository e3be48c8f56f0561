// Package hostport finds what is wrong with addresses, HOST:PORT, that operators write: to listen on,
// and of brokers.
//
// In goes the text of a flag; out comes nil, or a cli.UsageError that names the flag and says what
// would be right:
//
//	err := hostport.Listen("--listen", "localhost", "8080")
//	// --listen: "localhost" has no port; write localhost:8080
//
// Invariant: no error shows a user or a password that an address has.
//
// cmd/millrace calls it before anything is opened. It makes no connection, and asks no server for
// the name of a host.
package hostport
