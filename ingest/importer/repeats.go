package importer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"slices"

	"millrace/ingest/importer/accesslog"
)

const (
	// maxHashes is how many hashes of lines are in memory at once, 32 MiB; a longer file's are in a temporary file of
	// 8 bytes a line, which is read once for each so many.
	maxHashes = 4 << 20
	// maxRepeated is how many different lines may come more than once in a file: about 100 MiB. Real logs have a few in a
	// thousand.
	maxRepeated = 2 << 20
)

var errRepeated = errors.New("it holds too many lines more than once: if it is several logs in one, import them one by one")

// repeats finds the lines that a file has more than once, wherever they are in it, in bounded memory: it takes the
// hashes of all lines, and sorts a part of them at a time. The hash is keyed anew for each file, so that nobody can write
// a log in which other lines than equal ones have one hash.
type repeats struct {
	seed            maphash.Seed
	most, mostFound int
	hashes          []uint64
	n               int
	file            *os.File
	out             *bufio.Writer
	found           map[uint64]struct{}
}

func newRepeats() *repeats {
	return &repeats{seed: maphash.MakeSeed(), most: maxHashes, mostFound: maxRepeated, found: map[uint64]struct{}{}}
}

// add takes a line.
func (r *repeats) add(line []byte) error {
	r.n++
	r.hashes = append(r.hashes, maphash.Bytes(r.seed, line))
	if len(r.hashes) < r.most {
		return nil
	}
	return r.spill()
}

// spill moves the hashes in memory to the file.
func (r *repeats) spill() (err error) {
	if r.file == nil {
		if r.file, err = os.CreateTemp("", "millrace-lines-*"); err != nil {
			return fmt.Errorf("keep hashes of lines: %w", err)
		}
		r.out = bufio.NewWriterSize(r.file, 256<<10)
	}
	var b [8]byte
	for _, h := range r.hashes {
		binary.LittleEndian.PutUint64(b[:], h)
		if _, err := r.out.Write(b[:]); err != nil {
			return fmt.Errorf("keep hashes of lines: %w", err)
		}
	}
	r.hashes = r.hashes[:0]
	return nil
}

// find finds the repeated lines among those that were added. Nothing can be added after it.
func (r *repeats) find() error {
	defer func() { r.hashes = nil }()
	if r.file == nil {
		return r.sort()
	}
	if err := errors.Join(r.spill(), r.out.Flush()); err != nil {
		return fmt.Errorf("keep hashes of lines: %w", err)
	}
	// Half of what fits, so that parts of uneven size do too.
	parts := uint64(r.n/max(r.most/2, 1) + 1)
	for part := range parts {
		if err := r.read(parts, part); err != nil {
			return fmt.Errorf("read hashes of lines: %w", err)
		}
		if err := r.sort(); err != nil {
			return err
		}
	}
	return nil
}

// read reads the hashes of a part back.
func (r *repeats) read(parts, part uint64) error {
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r.hashes = r.hashes[:0]
	in := bufio.NewReaderSize(r.file, 256<<10)
	for range r.n {
		var b [8]byte
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return err
		}
		if h := binary.LittleEndian.Uint64(b[:]); h%parts == part {
			r.hashes = append(r.hashes, h)
		}
	}
	return nil
}

func (r *repeats) sort() error {
	slices.Sort(r.hashes)
	for i := 1; i < len(r.hashes); i++ {
		if r.hashes[i] == r.hashes[i-1] {
			r.found[r.hashes[i]] = struct{}{}
		}
	}
	if len(r.found) > r.mostFound {
		return errRepeated
	}
	return nil
}

// close removes the temporary file.
func (r *repeats) close() error {
	if r.file == nil {
		return nil
	}
	err := errors.Join(r.file.Close(), os.Remove(r.file.Name()))
	r.file = nil
	return err
}

// ranker returns the Ranker of one reading of the file. A line that does not repeat has no other before it.
func (r *repeats) ranker() accesslog.Ranker {
	seen := make(map[uint64]int64, len(r.found))
	return func(line []byte) int64 {
		h := maphash.Bytes(r.seed, line)
		if _, ok := r.found[h]; !ok {
			return 0
		}
		seen[h]++
		return seen[h] - 1
	}
}
