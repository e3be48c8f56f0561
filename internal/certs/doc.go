// Package certs reads the files of TLS: certificate authorities, and certificates with their keys.
//
// In go paths of PEM files; out come what crypto/tls takes:
//
//	pool, err := certs.Pool("/etc/millrace/ca.pem") // to trust a server
//
// Invariants:
//   - Errors name the file and what is wrong with it, and have nothing of a key.
//
// internal/blob and internal/influxdb trust servers by it. It makes no connection.
package certs
