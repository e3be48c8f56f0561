//go:build unix

package secretfile

import "io/fs"

// ReadableByOthers reports whether every user of the machine may read a file.
func ReadableByOthers(info fs.FileInfo) bool {
	return info.Mode().IsRegular() && info.Mode().Perm()&0o004 != 0
}
