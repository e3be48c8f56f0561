package salt

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"millrace/engine/wire"
	"millrace/ingest/identity"
	"millrace/internal/atomicfile"
	"millrace/internal/smallfile"
)

// maxFile is the most bytes of a file of salts: there are as many lines in it as dates, some dozens
// at most.
const maxFile = 1 << 20

// fileFormat is the format that is read and written here. A later one has its number in a first
// line, "format 2"; this one has no such line.
const fileFormat = 1

// readFile reads a file of salts: a line for each date, 2006-01-02 and 64 hexadecimal digits. A file
// that is not there has none.
func readFile(path string) (map[identity.Day]key, error) {
	text, err := smallfile.Read(path, maxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the salts of visitor ids: %w", err)
	}
	keys := map[identity.Day]key{}
	for n, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		if line == "" {
			continue
		}
		date, digits, _ := strings.Cut(line, " ")
		if n, err := strconv.Atoi(digits); date == "format" && err == nil && n > fileFormat {
			return nil, fmt.Errorf("%s: %w", path, wire.Newer(n, fileFormat, fileFormat))
		}
		day, err := identity.ParseDay(date)
		value, bad := hex.DecodeString(digits)
		if err != nil || bad != nil || len(value) != len(key{}) {
			return nil, fmt.Errorf("%s: line %d is not a date and 64 hexadecimal digits; "+
				"delete the file: the visitors of today count once more then", path, n+1)
		}
		keys[day] = key(value)
	}
	return keys, nil
}

// writeFile replaces the file of salts, and overwrites the bytes of the one before.
func writeFile(path string, keys map[identity.Day]key) error {
	var text []byte
	for _, day := range slices.Sorted(maps.Keys(keys)) {
		k := keys[day]
		text = fmt.Appendf(text, "%s %x\n", day, k[:])
	}
	// The open file is the old one also behind the renaming.
	old, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write the salts of visitor ids: %w", err)
	}
	if err := atomicfile.Write(path, text, 0o600); err != nil {
		err = fmt.Errorf("write the salts of visitor ids: %w", err)
		if old != nil {
			err = errors.Join(err, old.Close())
		}
		return err
	}
	if old == nil {
		return nil
	}
	if err := errors.Join(overwrite(old), old.Close()); err != nil {
		return fmt.Errorf("overwrite the salts of visitor ids that are over: %w", err)
	}
	return nil
}

// overwrite writes zeros over a file, down to the disk.
func overwrite(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(make([]byte, info.Size()), 0); err != nil {
		return err
	}
	return f.Sync()
}
