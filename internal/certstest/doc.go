// Package certstest makes certificates for tests.
//
// In goes a folder, an end and names; out come PEM files:
//
//	a := certstest.New(t)                                      // an authority
//	cert, key := a.Write(t, dir, time.Now().Add(time.Hour), "127.0.0.1")
//	client.TLSClientConfig = &tls.Config{RootCAs: a.Pool()}
//
// Keys are of the curve P-256, which are made at once. It is for tests alone.
package certstest
