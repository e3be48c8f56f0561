package site

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"millrace/internal/secretfile"
)

// Source is a configuration that is read again when its files have changed: the file of sites and
// the files of keys that it names. It belongs to one goroutine.
type Source struct {
	config Config
	paths  []string          // of the files that were read last
	read   [sha256.Size]byte // their contents then
	seen   [sha256.Size]byte // their contents at the last Read
	begun  bool
}

// NewSource returns a source that has read nothing yet.
func NewSource(c Config) *Source { return &Source{config: c} }

// Read reads the configuration the first time, and from then on when the contents of its files are
// other ones than they were; fresh reports whether that is so, and without it there is no error.
// Contents have to be the same at two calls in a row before they are read: a file that is being
// written may look whole.
func (s *Source) Read() (sites *Sites, fresh bool, err error) {
	if s.begun {
		now, before := s.look(), s.seen
		s.seen = now
		if now == s.read || now != before {
			return nil, false, nil
		}
	}
	s.begun, s.paths = true, nil
	sum := newSummary()
	sites, err = s.config.sites(func(path string, most int) ([]byte, error) {
		data, err := secretfile.Bytes(path, most)
		s.paths = append(s.paths, path)
		sum.add(data, err)
		return data, err
	})
	s.read = sum.get()
	s.seen = s.read
	return sites, true, err
}

// look returns the summary of the files that were read last.
func (s *Source) look() [sha256.Size]byte {
	sum := newSummary()
	for i, path := range s.paths {
		most := secretfile.MaxBytes
		if i == 0 {
			most = maxFileBytes
		}
		sum.add(secretfile.Bytes(path, most))
	}
	return sum.get()
}

// summary is a hash of contents and errors.
type summary struct{ text []byte }

func newSummary() *summary { return &summary{} }

func (s *summary) add(data []byte, err error) {
	if err != nil {
		data = []byte("\x00error: " + err.Error())
	}
	sum := sha256.Sum256(data)
	s.text = binary.AppendUvarint(s.text, uint64(len(data)))
	s.text = append(s.text, sum[:]...)
}

func (s *summary) get() [sha256.Size]byte { return sha256.Sum256(s.text) }

// Check reads a file of sites as serve would. The error is a *FileError. Filters is Config.Filters.
func Check(path string, filters func([]any) error) (*Sites, error) {
	s, err := Read(Config{File: path, Filters: filters})
	if file := new(FileError); errors.As(err, &file) {
		return nil, file
	}
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", path, err)
	}
	return s, nil
}
