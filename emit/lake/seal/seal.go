package seal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

const (
	magic       = "mrl1"
	footerMagic = "mrf1"

	sealLen    = len(magic) + 8
	trailerLen = 8 // the footer's length, and "PAR1"
)

// footerAt returns where the footer begins in a file, or in the last part of one.
func footerAt(file []byte) (int, error) {
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

// Seal returns a Parquet file with a seal. It may use the memory of file.
func Seal(file []byte) ([]byte, error) {
	at, err := footerAt(file)
	if err != nil {
		return nil, err
	}
	return insert(file, at, magic, checksum(file[:at], file[at:])), nil
}

// WithFooter is Seal, with a sum of the footer besides.
func WithFooter(file []byte) ([]byte, error) {
	at, err := footerAt(file)
	if err != nil {
		return nil, err
	}
	return Seal(insert(file, at, footerMagic, checksum(file[at:], nil)))
}

func insert(file []byte, at int, magic string, sum uint64) []byte {
	file = append(file, make([]byte, sealLen)...)
	copy(file[at+sealLen:], file[at:])
	copy(file[at:], magic)
	binary.LittleEndian.PutUint64(file[at+len(magic):], sum)
	return file
}

// Check returns nil if the file is as it was sealed.
func Check(file []byte) error {
	at, err := footerAt(file)
	if err != nil {
		return err
	}
	if at < sealLen || string(file[at-sealLen:at-8]) != magic {
		return errors.New("it has no seal: it is damaged, or another program wrote it")
	}
	if binary.LittleEndian.Uint64(file[at-8:]) != checksum(file[:at-sealLen], file[at:]) {
		return errors.New("its checksum is wrong")
	}
	return nil
}

// Footer returns the footer of a file that WithFooter has sealed, out of the last bytes of it. If these are too few, need is how many
// bytes of the file's end it takes; that number is not to be trusted beyond the file's size.
func Footer(tail []byte) (footer []byte, need int64, err error) {
	if len(tail) < trailerLen {
		return nil, 0, errors.New("it is too short")
	}
	n := int64(binary.LittleEndian.Uint32(tail[len(tail)-trailerLen:]))
	need = n + trailerLen + 2*int64(sealLen)
	if need > int64(len(tail)) {
		return nil, need, nil
	}
	at := int64(len(tail)) - n - trailerLen
	before := tail[at-2*int64(sealLen) : at-int64(sealLen)]
	if string(before[:len(footerMagic)]) != footerMagic {
		return nil, need, errors.New("its footer has no seal: it is damaged, or another program wrote it")
	}
	if binary.LittleEndian.Uint64(before[len(footerMagic):]) != checksum(tail[at:], nil) {
		return nil, need, errors.New("the checksum of its footer is wrong")
	}
	return tail[at : at+n], need, nil
}

func checksum(before, after []byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	d.Write(before)
	d.Write(after)
	return d.Sum64()
}

// Guard calls f and turns a panic into an error. A seal finds damage, but a file that was sealed anew can still make a library panic,
// and a bad file must not end the process. Only what reads files may be guarded: this is the only place of the archive that recovers.
func Guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return f()
}
