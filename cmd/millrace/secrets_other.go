//go:build !unix

package main

import "io/fs"

// readableByOthers returns false: elsewhere the mode of a file does not show it.
func readableByOthers(fs.FileInfo) bool { return false }
