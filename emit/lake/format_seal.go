package lake

import (
	"encoding/binary"
	"errors"

	"github.com/cespare/xxhash/v2"
)

// A file is sealed with a checksum over all of it. Parquet's own checksums cover the pages and
// neither their headers nor the footer, and there a flipped bit can do anything: change what is
// read, make the library panic, or make it allocate until the process dies, against which no
// recover helps. The seal lies before the footer, where the format leaves room: readers find the
// footer from the end of the file, and all positions in it are before the seal.
//
//	row groups and indexes | "mrl1" | xxhash64 of all other bytes, little endian | footer | its length | "PAR1"
const sealMagic = "mrl1"

const (
	sealLen    = len(sealMagic) + 8
	trailerLen = 8 // the footer's length, and "PAR1"
)

// sealAt returns where the footer of a file begins.
func sealAt(file []byte) (int, error) {
	if len(file) < trailerLen {
		return 0, errors.New("it is too short")
	}
	n := int64(binary.LittleEndian.Uint32(file[len(file)-trailerLen:]))
	at := int64(len(file)) - trailerLen - n
	if at < 0 {
		return 0, errors.New("its end is not that of a Parquet file")
	}
	return int(at), nil
}

// seal returns a Parquet file with a seal. It may use the memory of file.
func seal(file []byte) ([]byte, error) {
	at, err := sealAt(file)
	if err != nil {
		return nil, err
	}
	sum := checksum(file[:at], file[at:])
	file = append(file, make([]byte, sealLen)...)
	copy(file[at+sealLen:], file[at:])
	copy(file[at:], sealMagic)
	binary.LittleEndian.PutUint64(file[at+len(sealMagic):], sum)
	return file, nil
}

// checkSeal returns nil if the file is as it was sealed.
func checkSeal(file []byte) error {
	at, err := sealAt(file)
	if err != nil {
		return err
	}
	if at < sealLen || string(file[at-sealLen:at-sealLen+len(sealMagic)]) != sealMagic {
		return errors.New("it has no seal: it is damaged, or another program wrote it")
	}
	if binary.LittleEndian.Uint64(file[at-8:]) != checksum(file[:at-sealLen], file[at:]) {
		return errors.New("its checksum is wrong")
	}
	return nil
}

func checksum(before, after []byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	d.Write(before)
	d.Write(after)
	return d.Sum64()
}
