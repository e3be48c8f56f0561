// Package seal puts a checksum over a whole Parquet file into it, and checks it.
//
// In goes a finished file, out comes the same table with a seal, which every reader of Parquet passes over:
//
//	body, err := seal.Seal(file)
//	err = seal.Check(body) // nil, or what is wrong
//
// Parquet's own checksums cover the pages and neither their headers nor the footer, and there a flipped bit can do anything: change
// what is read, make a library panic, or make it allocate until the process dies, against which no recover helps. The seal lies
// before the footer, where the format leaves room: readers find the footer from the end of the file, and all positions in it are
// before the seal.
//
//	row groups and indexes | "mrl1" | xxhash64 of all other bytes, little endian | footer | its length | "PAR1"
//
// A file that is read in part cannot be checked by a sum over all of it. One that WithFooter has sealed has another sum before the
// first, of its footer alone (that is, of all from the footer on): whoever knows the footer to be right reads pages by the positions
// in it, and checks each by its own sum.
//
//	row groups and indexes | "mrf1" | xxhash64 of the footer to the end | "mrl1" | … as above
//
// The functions may be called from any goroutine. They read and write no store, and Check does not say whether the rows make sense.
package seal
