package salt

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"millrace/internal/atomicfile"
	"millrace/internal/lockfile"
	"millrace/internal/smallfile"
)

// ImportLife is how long the salt of imports is kept behind the last import.
const ImportLife = 48 * time.Hour

// ForImport returns the key that the visitors of imported files are hashed under, from a file that
// is made if it is missing or has expired. Each import that takes it keeps it for another
// ImportLife: so an import that is completed by repeating it, or is followed by the next file of
// the same day, has the same visitors. The time is that of the file.
//
// Two processes may call it at once: they get the same key.
func ForImport(path string, now time.Time) (_ []byte, err error) {
	unlock, err := lockImport(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := expireImport(path, now); err != nil {
		return nil, err
	}
	text, err := smallfile.Read(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		is := newKey()
		text = fmt.Appendf(nil, "%x\n", is[:])
		if err := atomicfile.Write(path, text, 0o600); err != nil {
			return nil, fmt.Errorf("make the salt of imports: %w", err)
		}
	} else if err != nil {
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

// lockImport keeps other processes from the file until the lock is given free: one that has found it
// expired could remove the one that another has just made.
func lockImport(path string) (unlock func() error, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	lock, err := lockfile.Wait(ctx, path+".lock")
	if err != nil {
		return nil, fmt.Errorf("lock the salt of imports: %w", err)
	}
	return lock.Close, nil
}

// ExpireImport destroys the salt of imports if the last one was more than ImportLife ago.
func ExpireImport(path string, now time.Time) (err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := lockImport(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	return expireImport(path, now)
}

// expireImport is ExpireImport. REQUIRES: lockImport.
func expireImport(path string, now time.Time) error {
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
