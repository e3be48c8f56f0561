package broker

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// partition is a checked partition folder.
type partition struct {
	dir      string
	segments []segment
	snap     snapshot
}

// snapshot is kfake's snapshot.json. If it fits the segment files, kfake loads them one by one; if
// not (after every crash), it holds all of the partition in memory while it rebuilds one, and puts
// an empty partition back to 0.
type snapshot struct {
	Version          int               `json:"version"`
	HighWatermark    int64             `json:"high_watermark"`
	LastStableOffset int64             `json:"last_stable_offset"`
	LogStartOffset   int64             `json:"log_start_offset"`
	Epoch            int32             `json:"epoch"`
	LeaderNode       int32             `json:"leader_node,omitempty"`
	MaxTimestamp     int64             `json:"max_timestamp"`
	CreatedAt        time.Time         `json:"created_at"`
	AbortedTxns      []json.RawMessage `json:"aborted_txns,omitempty"`
	Segments         []snapshotSegment `json:"segments"`
}

type snapshotSegment struct {
	BaseOffset int64 `json:"base_offset"`
	Size       int64 `json:"size"`
	MinEpoch   int32 `json:"min_epoch,omitempty"`
	MaxEpoch   int32 `json:"max_epoch,omitempty"`
}

const snapshotVersion = 1

// checkPartition walks all segments of a partition. It returns ErrDamaged unless they continue one
// another, only the end of the last is torn, and they reach as far as the last snapshot did. It
// changes nothing.
func checkPartition(root, name string) (*partition, error) {
	p := &partition{dir: filepath.Join(root, partitionsDir, name)}
	bases, err := listSegments(p.dir)
	if err != nil {
		return nil, fmt.Errorf("read broker log: %w", err)
	}
	for i, base := range bases {
		s, err := walkSegment(filepath.Join(p.dir, segmentFile(base)), base)
		if err != nil {
			return nil, fmt.Errorf("read broker log: %w", err)
		}
		if i > 0 && base != p.next() {
			return nil, damagedPartition(root, name, "the offsets between %d and %d are missing", p.next(), base)
		}
		if s.reason != "" && (i < len(bases)-1 || s.followed) {
			return nil, damagedPartition(root, name, "the batch at byte %d of %s %s, and more of the log follows",
				s.valid, segmentFile(base), s.reason)
		}
		p.segments = append(p.segments, s)
	}
	// An unreadable snapshot is like none, for kfake as well: the segments are the truth.
	if raw, err := os.ReadFile(filepath.Join(p.dir, snapshotFile)); err == nil {
		if json.Unmarshal(raw, &p.snap) != nil || p.snap.Version != snapshotVersion {
			p.snap = snapshot{}
		}
	}
	// A snapshot that names the segments as they are and another end is damaged itself: the
	// segments are whole.
	if p.sameSizes() && p.next() != p.snap.HighWatermark && len(p.segments) > 0 && p.segments[len(p.segments)-1].reason == "" {
		p.snap = snapshot{}
	}
	// A snapshot is only written of what has been synced, or is within a moment.
	if len(p.segments) > 0 && p.next() < p.snap.HighWatermark {
		return nil, damagedPartition(root, name, "the log ends before offset %d, it once reached %d", p.next(), p.snap.HighWatermark)
	}
	return p, nil
}

// next is the offset after the last whole batch.
func (p *partition) next() int64 {
	if len(p.segments) == 0 {
		return 0
	}
	return p.segments[len(p.segments)-1].next
}

// repair cuts off a torn end and writes the snapshot that fits the segments.
func (p *partition) repair(log *slog.Logger) error {
	if len(p.segments) == 0 {
		return p.anchor()
	}
	last := &p.segments[len(p.segments)-1]
	if last.valid < last.size {
		path := filepath.Join(p.dir, segmentFile(last.base))
		log.Warn("broker: cut off an incomplete batch at the end of the log", "file", path,
			"pos", last.valid, "bytes", last.size-last.valid, "reason", last.reason)
		if err := os.Truncate(path, last.valid); err != nil {
			return err
		}
		last.size = last.valid
	}
	if p.snapshotFits() || p.transactional() {
		return nil // kfake itself has to work out which transactions a crash aborted
	}
	for _, s := range p.segments {
		if err := syncFile(filepath.Join(p.dir, segmentFile(s.base)), false); err != nil {
			return err
		}
	}
	return writeJSON(filepath.Join(p.dir, snapshotFile), p.snapshot())
}

// anchor keeps the offset of a partition whose records have all been deleted: an empty segment
// named after it.
func (p *partition) anchor() error {
	at := p.snap.HighWatermark
	if at <= 0 {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(p.dir, segmentFile(at)), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	p.segments = []segment{{base: at, next: at}}
	return writeJSON(filepath.Join(p.dir, snapshotFile), p.snapshot())
}

func (p *partition) transactional() bool {
	return slices.ContainsFunc(p.segments, func(s segment) bool { return s.transactional })
}

func (p *partition) snapshotFits() bool {
	return p.snap.Version == snapshotVersion && p.snap.HighWatermark == p.next() && p.sameSizes()
}

// sameSizes reports whether the snapshot has the segments and sizes that there are.
func (p *partition) sameSizes() bool {
	return slices.EqualFunc(p.snap.Segments, p.segments, func(a snapshotSegment, b segment) bool {
		return a.BaseOffset == b.base && a.Size == b.size
	})
}

func (p *partition) snapshot() snapshot {
	first := p.segments[0]
	s := snapshot{
		Version:          snapshotVersion,
		HighWatermark:    p.next(),
		LastStableOffset: p.next(),
		LogStartOffset:   min(max(first.base, p.snap.LogStartOffset), p.next()),
		Epoch:            p.snap.Epoch,
		CreatedAt:        time.UnixMilli(first.firstTime),
	}
	for _, seg := range p.segments {
		s.Epoch = max(s.Epoch, seg.epoch)
		s.Segments = append(s.Segments, snapshotSegment{BaseOffset: seg.base, Size: seg.size, MaxEpoch: seg.epoch})
	}
	return s
}
