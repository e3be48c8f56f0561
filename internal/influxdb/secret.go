package influxdb

import (
	"fmt"
	"os"
	"sync"
	"time"

	"millrace/internal/secretfile"
)

// secret is a password or a token, or a file with one.
type secret struct {
	path string // "" for one that does not change

	mu       sync.Mutex // guards what follows
	value    string
	modified time.Time // of the file that value is from
	size     int64
}

// get returns the secret. A file is read again once it has changed; one that can't be read, or has become empty, leaves
// the secret as it was: a file that is replaced is away for a moment, and a server that takes the old one no more says so.
func (s *secret) get() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.path == "" {
		return s.value, nil
	}
	info, err := os.Stat(s.path)
	if err == nil && s.value != "" && info.ModTime().Equal(s.modified) && info.Size() == s.size {
		return s.value, nil
	}
	lines, err := secretfile.Read(s.path, false)
	switch {
	case err == nil && info != nil:
		s.value, s.modified, s.size = lines[0], info.ModTime(), info.Size()
	case s.value == "":
		return "", fmt.Errorf("read %s: %w", s.path, err)
	}
	return s.value, nil
}
