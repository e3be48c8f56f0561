//go:build !unix

package secretfile

import "io/fs"

// ReadableByOthers returns false: elsewhere the mode of a file does not show it.
func ReadableByOthers(fs.FileInfo) bool { return false }
