package salt

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ImportLife is how long the salt of imports is kept behind the last import.
const ImportLife = 48 * time.Hour

// ForImport returns the key that the visitors of imported files are hashed under, from a file that
// is made if it is missing or has expired. Each import that takes it keeps it for another
// ImportLife: so an import that is completed by repeating it, or is followed by the next file of
// the same day, has the same visitors. The time is that of the file.
//
// Two processes may call it at once: they get the same key.
func ForImport(path string, now time.Time) ([]byte, error) {
	if err := ExpireImport(path, now); err != nil {
		return nil, err
	}
	is := newKey()
	if err := create(path, fmt.Appendf(nil, "%x\n", is[:])); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make the salt of imports: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the salt of imports: %w", err)
	}
	value, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(value) != len(key{}) {
		return nil, fmt.Errorf("%s has not 64 hexadecimal digits; delete it: files of which a part has been imported then have other visitors", path)
	}
	if err := os.Chtimes(path, now, now); err != nil {
		return nil, fmt.Errorf("note the use of the salt of imports: %w", err)
	}
	return value, nil
}

// create makes a file with all of its content, unless it is there.
func create(path string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".salt-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Link(tmp.Name(), path)
	}
	return errors.Join(err, os.Remove(tmp.Name()))
}

// ExpireImport destroys the salt of imports if the last one was more than ImportLife ago.
func ExpireImport(path string, now time.Time) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for the salt of imports: %w", err)
	}
	info, err := f.Stat()
	if err == nil && now.Sub(info.ModTime()) > ImportLife {
		err = errors.Join(os.Remove(path), overwrite(f))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("destroy the salt of imports: %w", err)
	}
	return nil
}
