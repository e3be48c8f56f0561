package broker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// watch is what Check saw of the segment files.
type watch struct {
	mu    sync.Mutex                     // guards what follows
	parts map[string]map[int64]watchFile // by partition folder and base offset
}

type watchFile struct {
	info os.FileInfo
	// sure is what the file held for two looks: kfake takes back what it could write only a part
	// of, and a look may fall in between.
	sure int64
}

// Check compares the log's files with what it saw of them before, and returns a DamageError once
// one was removed, replaced or cut short by somebody else. kfake notices none of that before the
// next Open: it goes on acknowledging, into a file that has no name any more, or at positions that
// it does not find again.
//
// Only the beginning of a partition is deleted by the broker itself, so what is missing there is no
// finding; what a consumer had not read of it is missing to the consumer. The error stays until the
// broker is closed. The context is not looked at.
func (b *Broker) Check(context.Context) error {
	if b.opts.Dir == "" {
		return nil
	}
	topics, _, err := readTopics(b.opts.Dir, nil)
	if err != nil {
		return err
	}
	b.watch.mu.Lock()
	defer b.watch.mu.Unlock()
	for _, t := range topics {
		for p := range t.Partitions {
			if err := b.watch.look(b.opts.Dir, partDir(t.Name, p)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *watch) look(root, name string) error {
	dir := filepath.Join(root, partitionsDir, name)
	bases, err := listSegments(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look at the broker log: %w", err)
	}
	now, first := make(map[int64]watchFile, len(bases)), int64(-1)
	before := w.parts[name]
	for _, base := range bases {
		info, err := os.Stat(filepath.Join(dir, segmentFile(base)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("look at the broker log: %w", err)
		}
		if first < 0 {
			first = base
		}
		f := watchFile{info: info}
		if old, ok := before[base]; ok {
			if !os.SameFile(old.info, info) {
				return damagedPartition(root, name, "%s was replaced while it was in use", segmentFile(base))
			}
			if info.Size() < old.sure {
				return damagedPartition(root, name, "%s was cut short while it was in use, from %d bytes to %d", segmentFile(base), old.sure, info.Size())
			}
			f.sure = min(old.info.Size(), info.Size())
		}
		now[base] = f
	}
	for base := range before {
		if _, ok := now[base]; !ok && (first < 0 || base > first) {
			return damagedPartition(root, name, "%s was removed while it was in use", segmentFile(base))
		}
	}
	if w.parts == nil {
		w.parts = map[string]map[int64]watchFile{}
	}
	w.parts[name] = now
	return nil
}
