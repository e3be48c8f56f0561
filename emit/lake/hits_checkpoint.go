package lake

import (
	"encoding/binary"
	"errors"

	"github.com/cespare/xxhash/v2"
)

// The object of a checkpoint is
//
//	"mrc1" | hash of the last record | the ledger's checkpoint | xxhash64 of all before
//
// both hashes little endian. By that of the last record the log is recognized that a chain goes on in.
const checkpointMagic = "mrc1"

const checkpointFrame = len(checkpointMagic) + 8 + 8

// errDamaged is the error for a checkpoint that is not what was put.
var errDamaged = errors.New("the checkpoint is damaged")

// wrapCheckpoint returns the object of a checkpoint after a record with a hash.
func wrapCheckpoint(sum uint64, checkpoint []byte) []byte {
	b := make([]byte, 0, len(checkpoint)+checkpointFrame)
	b = append(b, checkpointMagic...)
	b = binary.LittleEndian.AppendUint64(b, sum)
	b = append(b, checkpoint...)
	return binary.LittleEndian.AppendUint64(b, xxhash.Sum64(b))
}

// unwrapCheckpoint returns what wrapCheckpoint was given.
func unwrapCheckpoint(object []byte) (sum uint64, checkpoint []byte, err error) {
	n := len(object) - 8
	if len(object) < checkpointFrame || string(object[:len(checkpointMagic)]) != checkpointMagic ||
		binary.LittleEndian.Uint64(object[n:]) != xxhash.Sum64(object[:n]) {
		return 0, nil, errDamaged
	}
	at := len(checkpointMagic)
	return binary.LittleEndian.Uint64(object[at:]), object[at+8 : n], nil
}
