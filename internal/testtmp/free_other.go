//go:build !linux

package testtmp

func free(string) uint64 { return 0 }
