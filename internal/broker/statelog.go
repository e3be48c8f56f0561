package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// stateLog is one of kfake's append logs: committed offsets (groups.log), producer ids (pids.log).
// An entry is length u32, CRC-32C u32 of what follows, version u16, JSON; little endian, length
// counts version and JSON.
type stateLog struct {
	path  string
	size  int64
	valid int64 // bytes of whole entries from the start
}

const (
	entryPrefix  = 8
	entryMinimum = 2
)

// checkStateLog returns ErrDamaged if whole entries follow an unreadable one.
func checkStateLog(root, name string) (*stateLog, error) {
	l := &stateLog{path: filepath.Join(root, name)}
	raw, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read broker log: %w", err)
	}
	l.size = int64(len(raw))
	rest := raw
	for {
		n, ok := nextEntry(rest)
		if !ok {
			if _, follows := nextEntry(rest[n:]); n > 0 && follows {
				return nil, damaged(root, name, "%s: the entry at byte %d has a wrong checksum, and more follow", name, l.valid)
			}
			return l, nil
		}
		l.valid += int64(n)
		rest = rest[n:]
	}
}

// nextEntry returns the size of the entry at the start of raw and whether its checksum is right; 0
// if raw ends before it does.
func nextEntry(raw []byte) (n int, ok bool) {
	if len(raw) < entryPrefix {
		return 0, false
	}
	length := binary.LittleEndian.Uint32(raw)
	if length < entryMinimum || int64(length) > int64(len(raw)-entryPrefix) {
		return 0, false
	}
	n = entryPrefix + int(length)
	return n, crc32.Checksum(raw[entryPrefix:n], castagnoli) == binary.LittleEndian.Uint32(raw[4:])
}

// repair cuts off what follows the last whole entry. kfake reads past it, but appends behind it,
// and the next start would not find what was appended.
func (l *stateLog) repair(log *slog.Logger) error {
	if l.valid == l.size {
		return nil
	}
	log.Warn("broker: cut off an incomplete entry", "file", l.path, "pos", l.valid, "bytes", l.size-l.valid)
	return os.Truncate(l.path, l.valid)
}
