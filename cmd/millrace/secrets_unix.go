//go:build unix

package main

import "io/fs"

// readableByOthers reports whether every user of the machine may read a file.
func readableByOthers(info fs.FileInfo) bool {
	return info.Mode().IsRegular() && info.Mode().Perm()&0o004 != 0
}
