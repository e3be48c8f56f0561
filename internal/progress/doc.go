// Package progress draws one line on a terminal that shows how far a command is: a bar, rows per
// second, time left.
//
// In goes what is done, of how much, and how many rows that was; out goes the line, redrawn a few
// times a second and wiped at the end. To anything that is not a terminal (a file, a pipe, a test)
// nothing is written at all.
//
//	bar := progress.Start(os.Stderr, "import")
//	defer bar.Finish()
//	bar.Set(bytesRead, fileBytes, rows)
//
// Units: done and total are of the caller's choice (bytes, hours); rows are counted, and shown per
// second of wall clock. Names are ASCII: a byte is taken for a column.
//
// A Bar belongs to one goroutine; it draws from another one, which Finish waits for. It is for
// commands that people watch; nothing depends on it, and it reports no errors.
package progress
