package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// drainer knows how far entries have been drained, on the disk too.
type drainer struct {
	file vfs.File
	slot int   // that is written next
	pos  int64 // of the oldest entry, in the first segment

	// first is the number of the oldest entry, or that of the next if there is none.
	first uint64
	lost  bool // there was no file when it was opened
	progress
}

// progress says that the frames before done are in Kafka, and that those from there to until may
// be, behind an offset of each partition.
type progress struct {
	turn        uint64 // grows with each write
	done, until uint64
	after       map[int32]int64
}

const (
	slotBytes = 4096
	slotHead  = 4 + 3*8 + 2
	perOffset = 12
	// MostDrained is the most entries of a Begin: each may be of a partition of its own.
	MostDrained = (slotBytes - slotHead) / perOffset
)

// open opens or makes the file.
func (d *drainer) open(disk vfs.FS, dir string) error {
	path := disk.PathJoin(dir, "progress")
	b, err := readFile(disk, path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read progress: %w", err)
	}
	if err != nil || len(b) < 2*slotBytes {
		// It is made whole before there can be a segment.
		if err := d.create(disk, dir, path); err != nil {
			return fmt.Errorf("create progress: %w", err)
		}
		b, d.lost = make([]byte, 2*slotBytes), true
	}
	found := false
	for i := range 2 {
		p, ok := readProgress(b[i*slotBytes : (i+1)*slotBytes])
		if ok && (!found || p.turn > d.turn) {
			d.progress, d.slot, found = p, 1-i, true
		}
	}
	if !found && slices.ContainsFunc(b[:2*slotBytes], func(c byte) bool { return c != 0 }) {
		return fmt.Errorf("%w: %s: neither slot can be read; delete it: what had been drained is then looked for in the whole log", ErrDamaged, path)
	}
	if d.file, err = disk.OpenReadWrite(path, vfs.WriteCategoryUnspecified); err != nil {
		return fmt.Errorf("open progress: %w", err)
	}
	return nil
}

func (d *drainer) create(disk vfs.FS, dir, path string) error {
	f, err := disk.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 2*slotBytes))
	return errors.Join(err, f.Sync(), f.Close(), syncDir(disk, dir))
}

func (d *drainer) close() error {
	if d.file == nil {
		return nil
	}
	return d.file.Close()
}

// save makes p the progress, on the disk first.
func (d *drainer) save(p progress) error {
	p.turn = d.turn + 1
	b := p.append(make([]byte, 0, slotBytes))
	_, err := d.file.WriteAt(b[:slotBytes], int64(d.slot*slotBytes))
	if err == nil {
		err = d.file.SyncData()
	}
	if err != nil {
		return fmt.Errorf("write progress of the spool: %w", err)
	}
	d.progress, d.slot = p, 1-d.slot
	return nil
}

// append appends a slot.
func (p *progress) append(b []byte) []byte {
	b = append(b, 0, 0, 0, 0)
	for _, v := range [...]uint64{p.turn, p.done, p.until} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(p.after)))
	for partition, offset := range p.after {
		b = binary.LittleEndian.AppendUint32(b, uint32(partition))
		b = binary.LittleEndian.AppendUint64(b, uint64(offset))
	}
	b = append(b, make([]byte, slotBytes-len(b))...)
	binary.LittleEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
	return b
}

// readProgress reads a slot; false if it was never written, or not whole.
func readProgress(b []byte) (p progress, ok bool) {
	if crc32.Checksum(b[4:], castagnoli) != binary.LittleEndian.Uint32(b) {
		return p, false
	}
	u64 := func(at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
	p = progress{turn: u64(4), done: u64(12), until: u64(20), after: map[int32]int64{}}
	n := int(binary.LittleEndian.Uint16(b[28:]))
	if n > MostDrained || p.until < p.done {
		return p, false
	}
	for i := range n {
		at := slotHead + i*perOffset
		p.after[int32(binary.LittleEndian.Uint32(b[at:]))] = int64(u64(at + 4))
	}
	return p, true
}

// doubt returns an entry with the After that follows from the last Begin.
func (d *drainer) doubt(e Entry) Entry {
	if e.number >= d.done && e.number < d.until {
		if after, ok := d.after[e.Partition]; ok {
			e.After = min(e.After, after)
		} else {
			e.After = Start
		}
	}
	return e
}

// Peek returns the oldest entries: at most n and MostDrained, and not much more than so many bytes.
func (l *Log) Peek(n int, bytes int64) (_ []Entry, err error) {
	n = min(n, MostDrained)
	l.mu.Lock()
	type part struct {
		path      string
		pos, size int64
	}
	var parts []part
	for i, seg := range l.segments {
		p := part{seg.path, int64(len(header)), seg.size}
		if i == 0 {
			p.pos = l.drainer.pos
		}
		parts = append(parts, p)
	}
	l.mu.Unlock()
	var out []Entry
	for _, p := range parts {
		got, end, err := l.readFrames(p.path, p.pos, min(p.size, p.pos+max(bytes, headBytes)), p.size)
		if err != nil {
			return nil, fmt.Errorf("read spool: %w", err)
		}
		out = append(out, got[:min(len(got), n-len(out))]...)
		if bytes -= end - p.pos; end < p.size || bytes <= 0 || len(out) == n {
			break
		}
	}
	for i := range out {
		out[i] = l.drainer.doubt(out[i])
	}
	return out, nil
}

// readFrames reads the entries of a file that begin at pos and end at to or before, or the first if
// that ends behind it, and returns where the last one ends.
func (l *Log) readFrames(path string, pos, to, size int64) (list []Entry, end int64, err error) {
	file, err := l.fs.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	b := make([]byte, to-pos)
	if _, err := file.ReadAt(b, pos); err != nil {
		return nil, 0, err
	}
	for at, alone := int64(0), false; ; {
		f, n, err := readFrame(b[at:])
		switch {
		case err == nil:
			f.entry.number, f.entry.end = f.number, pos+at+n
			list = append(list, f.entry)
			if at += n; at < int64(len(b)) && !alone {
				continue
			}
			return list, pos + at, nil
		case !errors.Is(err, errShort) || at == 0 && to == size:
			return nil, 0, fmt.Errorf("%w: %s: byte %d: %w", ErrDamaged, path, pos+at, err)
		case at > 0:
			return list, pos + at, nil
		}
		alone = true // the first is longer
		to = min(size, pos+max(2*(to-pos), headBytes+leastFrame))
		b = make([]byte, to-pos)
		if _, err := file.ReadAt(b, pos); err != nil {
			return nil, 0, err
		}
	}
}

// Begin notes on the disk that entries, the last that Peek returned or the first of them, are about
// to be handed to Kafka, and behind which offset of each of their partitions they will be. If it is
// not followed by Done, Peek returns them again with these offsets.
func (l *Log) Begin(entries []Entry, after map[int32]int64) error {
	if len(entries) == 0 {
		return nil
	}
	d := &l.drainer
	end := entries[len(entries)-1].number + 1
	p := progress{done: d.first, until: end, after: map[int32]int64{}}
	if d.until > d.first { // what was begun and is not done stays in doubt
		p.until = max(p.until, d.until)
		maps.Copy(p.after, d.after)
	}
	for i := range entries {
		e := &entries[i]
		offset := min(e.After, after[e.Partition])
		if before, ok := p.after[e.Partition]; ok {
			offset = min(offset, before)
		} else if d.until > end {
			offset = Start // an entry behind these may be
		}
		p.after[e.Partition] = offset
	}
	if len(p.after) > MostDrained {
		clear(p.after) // then they may be anywhere
	}
	return d.save(p)
}

// Done deletes the entries of the last Begin: they are in Kafka. The next Begin notes that on the
// disk, or this when the spool is empty; if the process dies before, the next one looks for them
// behind the offsets of the last Begin. An error is of that note alone.
func (l *Log) Done(entries []Entry) error {
	l.mu.Lock()
	for i := range entries {
		e := &entries[i]
		l.segments[0].left--
		l.drainer.pos, l.drainer.first = e.end, e.number+1
		l.events -= e.N
		l.entries--
		if l.segments[0].left == 0 && l.segments[0] != l.current {
			l.drop(l.segments[0])
		}
	}
	empty := l.entries == 0
	if empty && l.current != nil && l.writing == 0 {
		l.err = l.closeCurrent()
	}
	l.mu.Unlock()
	if !empty {
		return nil
	}
	return l.drainer.save(progress{done: l.drainer.first, until: l.drainer.first})
}
