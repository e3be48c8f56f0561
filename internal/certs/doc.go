// Package certs reads the files of TLS: certificate authorities, and certificates with their keys.
//
// In go paths of PEM files; out come what crypto/tls takes:
//
//	pool, err := certs.Pool("/etc/millrace/ca.pem") // to trust a server
//
//	authorities, err := certs.OpenAuthorities("/etc/millrace/ca.pem") // and to follow the file
//	client.Transport = authorities.Transport(transport)
//
//	pair, err := certs.Open(certs.Options{Cert: "cert.pem", Key: "key.pem", Log: log}) // to be one
//	listener = tls.NewListener(listener, pair.Config())
//	go pair.Watch(ctx)
//
// Invariants:
//   - Errors name the file and what is wrong with it, and have nothing of a key.
//   - A Pair that was opened always has a certificate: files that become useless leave it the one
//     that it has.
//
// internal/blob, internal/influxdb and internal/kafka trust servers by it, cmd/internal/server serves by it. It
// makes no connection.
package certs
