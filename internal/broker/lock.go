package broker

import (
	"errors"
	"fmt"
	"path/filepath"

	"millrace/internal/lockfile"
)

// lockFolder locks a folder by its LOCK file.
func lockFolder(dir string) (*lockfile.Lock, error) {
	lock, err := lockfile.Open(filepath.Join(dir, "LOCK"))
	if errors.Is(err, lockfile.ErrHeld) {
		return nil, fmt.Errorf("data folder %q is %w", dir, ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("lock data folder %q: %w", dir, err)
	}
	return lock, nil
}
