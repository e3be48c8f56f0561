//go:build !unix

package kafkatest

// lock does nothing: here run packages that use the cluster one by one, with go test -p 1.
func lock(string) (unlock func(), err error) { return func() {}, nil }
