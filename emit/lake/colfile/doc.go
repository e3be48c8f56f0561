// Package colfile writes and reads Parquet files by whole columns, of the few kinds that files of hits and of visits have.
//
// In go vectors, a column of a row group each: text as codes of a dictionary, numbers as they are. Out comes a file that any reader
// of Parquet takes, and out of a file come the same vectors.
//
//	schema, err := colfile.NewSchema(row{})        // a struct with parquet tags
//	w := colfile.NewWriter(schema, colfile.Options{CreatedBy: "…"})
//	err = w.RowGroup(rows, vectors)                // of each column one, in the order of the schema
//	body, err := w.Close(nil)
//
//	f, err := colfile.Open(name, reader, size, schema)
//	g, err := f.Group(0, columns)
//	err = g.Column(3, &vector)                     // whole; or page by page: g.Pages(columns), and its Next
//
//	x, err := colfile.OpenIndexed(name, reader, size, schema)
//	r := colfile.Rows{File: x, Reader: reader, Group: 0, From: 100, To: 200}
//	err = r.Column(3, &vector)                     // of no more pages than have these rows
//
// # Why not the library's writer and reader
//
// parquet-go takes a value at a time through an interface, hashes each to find it in its dictionary, although the caller has the
// codes, and converts it twice more. That was nine tenths of the time that a hit took to write. Its packages for thrift, for the
// format's structures and for runs and packed bits are used here.
//
// # Format
//
// Data pages of version 1, of Options.PageRows rows, the same in all columns, so that pages of the same number have the same rows. Text
// has a dictionary, whole, in the order in which values come first, and pages of its codes; times and coordinates are
// DELTA_BINARY_PACKED if the schema says "delta", other numbers plain. Pages are compressed with zstd. Each page has its CRC, each chunk its least and greatest value (not of unsigned numbers, nor of long texts) and an offset
// index; columns that Options.Index names have a column index. There is no fallback from dictionary to plain, since the caller bounds the
// text of a row group, unless Options.DictionaryBytes says so.
//
// # Invariants
//
//   - A file is a function of the vectors, byte for byte.
//   - Files are sealed twice (package seal): over all, and over the footer, so that whoever reads a part of one knows that the part
//     is right: by the footer's sum, the positions in it and the CRC of each page.
//   - Reading is total: any bytes give vectors or an error, never a panic, and take no more memory than the footer and pages claim with
//     right sums; a row group has at most MaxGroupRows rows.
//
// # Who may call it
//
// A Writer, a Group and Pages belong to one goroutine; a Schema and a File may be shared. Positions and sizes are bytes.
//
// # What it does not do
//
// It knows no hits, sorts nothing, reads no other program's files, nor plain text, and has no nested columns.
package colfile
