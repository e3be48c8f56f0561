package spool

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"millrace/engine/wire"
)

// lostSuffix is what an operator appends to the name of a damaged segment to go on without it.
const lostSuffix = ".lost"

// load reads the segments of the folder.
func (l *Log) load() error {
	names, err := l.fs.List(l.opts.Dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", l.opts.Dir, err)
	}
	var firsts []uint64
	lost := map[uint64]bool{}
	for _, name := range names {
		name, isLost := strings.CutSuffix(name, lostSuffix)
		if first, ok := parseName(name); ok && isLost {
			lost[first] = true
		} else if ok {
			firsts = append(firsts, first)
		}
	}
	slices.Sort(firsts)
	d := &l.drainer
	d.pos = int64(len(header))
	if d.lost = d.lost && len(firsts) > 0; !d.lost {
		l.next = d.until
		if len(firsts) > 0 && firsts[0] > l.next && !lost[l.next] {
			return fmt.Errorf("%w: %s: the segment that begins with frame %d is missing; put it back, or make an empty file %s%s to go on without its events",
				ErrDamaged, l.opts.Dir, l.next, segmentName(l.next), lostSuffix)
		}
	}
	for i, first := range firsts {
		end := uint64(0) // the number at which the next one begins; 0: there is none
		if i+1 < len(firsts) {
			end = firsts[i+1]
		}
		if err := l.loadSegment(first, end, lost); err != nil {
			return err
		}
	}
	l.synced = l.next
	if l.entries == 0 {
		d.first = l.next
	}
	if d.lost {
		d.until = l.next // all of it is in doubt
	}
	return nil
}

// loadSegment reads one segment. What is in it from the number end on is the next one's.
func (l *Log) loadSegment(first, end uint64, lost map[uint64]bool) error {
	s := &segment{path: l.fs.PathJoin(l.opts.Dir, segmentName(first)), first: first, size: int64(len(header))}
	b, err := readFile(l.fs, s.path)
	if err != nil {
		return fmt.Errorf("read segment: %w", err)
	}
	if v, ok := versionOf(b); ok && v > version {
		return fmt.Errorf("segment %s of the spool: %w", s.path, wire.Newer(v, version, version))
	}
	number, bad := first, error(nil)
	if len(b) < len(header) || string(b[:len(header)]) != header {
		bad = errors.New("the header is not that of a segment")
	}
	pos := len(header)
	for bad == nil && pos < len(b) && (end == 0 || number < end) {
		f, size, err := readFrame(b[pos:])
		if err == nil && f.number != number {
			err = fmt.Errorf("there is frame %d instead of %d", f.number, number)
		}
		if err != nil {
			bad = err
			break
		}
		if number >= l.drainer.done {
			if l.entries == 0 {
				l.drainer.pos, l.drainer.first = int64(pos), number
			}
			s.take(&f.entry, number)
			l.entries++
			l.events += f.entry.N
		}
		pos += int(size)
		s.size = int64(pos)
		number++
	}
	// It was cut off while it was written, unless what is missing had been synced.
	if group := laterGroup(b[min(pos, len(b)):], number); group > number || number < end && !lost[number] {
		if bad == nil {
			bad = fmt.Errorf("it ends with frame %d, the next segment begins with %d", number-1, end)
		}
		return fmt.Errorf("%w: %s: byte %d: %w; append %q to its name to go on without its events", ErrDamaged, s.path, pos, bad, lostSuffix)
	}
	if s.left == 0 {
		s.remove(l.fs)
	} else {
		l.segments = append(l.segments, s)
		l.bytes += s.size - int64(len(header))
	}
	l.next = max(l.next, number)
	return nil
}

// laterGroup looks for whole frames behind what can't be read, and returns the number of the first
// frame of their latest group, 0 for none: all before that had been synced.
func laterGroup(b []byte, number uint64) (group uint64) {
	for pos := 0; pos+headBytes+leastFrame <= len(b); {
		f, size, err := readFrame(b[pos:])
		if err != nil || f.number < number {
			pos++
			continue
		}
		group = max(group, f.group)
		pos += int(size)
	}
	return group
}
