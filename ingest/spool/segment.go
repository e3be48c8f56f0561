package spool

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/engine/event"
)

const (
	suffix  = ".spool"
	header  = "mrspool\x01" // the last byte is the version
	version = 1
)

// versionOf returns the version in the header of a segment; false if it has none.
func versionOf(b []byte) (int, bool) {
	last := len(header) - 1
	if len(b) <= last || string(b[:last]) != header[:last] {
		return 0, false
	}
	return int(b[last]), true
}

// segment is a file of frames.
type segment struct {
	path  string
	first uint64
	size  int64 // of what is synced, the header among it
	left  int   // entries that are not done
	held  map[int32]held
	ages  []ages
	file  vfs.File // to write to; nil when it is closed
}

// held is what a segment has of a partition.
type held struct {
	events int
	from   event.Time // none was received before
}

// ages are the receive times of some entries in a row: one for each would be as many as beacons.
type ages struct {
	first, last uint64     // their numbers
	from        event.Time // none was received before
}

// mostAges is how many entries have one time.
const mostAges = 16

// take counts an entry that is in the segment and not done. Entries are taken in the order of their
// numbers.
func (s *segment) take(e *Entry, number uint64) {
	s.left++
	if i := len(s.ages) - 1; i < 0 || number-s.ages[i].first >= mostAges {
		s.ages = append(s.ages, ages{number, number, e.From})
	} else {
		s.ages[i].last, s.ages[i].from = number, min(s.ages[i].from, e.From)
	}
	if s.held == nil {
		s.held = map[int32]held{}
	}
	h, ok := s.held[e.Partition]
	if h.events += e.N; !ok || e.From < h.from {
		h.from = e.From
	}
	s.held[e.Partition] = h
}

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, suffix) }

// parseName returns the number in the name of a segment.
func parseName(name string) (first uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return 0, false
	}
	first, err := strconv.ParseUint(digits, 10, 64)
	return first, err == nil && segmentName(first) == name
}

// createSegment makes a file whose name is on the disk when it returns.
func createSegment(fs vfs.FS, dir string, first uint64) (*segment, error) {
	s := &segment{path: fs.PathJoin(dir, segmentName(first)), first: first}
	var err error
	if s.file, err = fs.Create(s.path, vfs.WriteCategoryUnspecified); err != nil {
		return nil, fmt.Errorf("create segment: %w", err)
	}
	if _, err = s.file.Write([]byte(header)); err == nil {
		err = syncDir(fs, dir)
	}
	if err != nil {
		s.remove(fs)
		return nil, fmt.Errorf("create segment: %w", err)
	}
	s.size = int64(len(header))
	return s, nil
}

// write appends bytes and syncs the file. After an error it must not be called again.
func (s *segment) write(b []byte) error {
	if _, err := s.file.Write(b); err != nil {
		return err
	}
	return s.file.SyncData()
}

func (s *segment) close() error {
	f := s.file
	s.file = nil
	if f == nil {
		return nil
	}
	return f.Close()
}

// remove deletes the file. One that stays because of an error is passed over or drained again by
// the next process, which finds copies in the log.
func (s *segment) remove(fs vfs.FS) {
	_ = s.close()
	_ = fs.Remove(s.path)
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readFile returns the bytes of a file.
func readFile(fs vfs.FS, path string) (_ []byte, err error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(f)
}
