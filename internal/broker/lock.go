package broker

import (
	"fmt"
	"os"
	"path/filepath"
)

// folderLock is held on a folder's LOCK file until Close or the end of the process. The file stays: removing it
// would let two processes lock two files of one name.
type folderLock struct{ f *os.File }

func lockFolder(dir string) (*folderLock, error) {
	f, err := openLocked(filepath.Join(dir, "LOCK"))
	if err == errHeld {
		return nil, fmt.Errorf("data folder %q is %w", dir, ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("lock data folder %q: %w", dir, err)
	}
	return &folderLock{f}, nil
}

func (l *folderLock) Close() error { return l.f.Close() }
