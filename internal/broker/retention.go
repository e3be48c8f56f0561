package broker

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// defaultRetention is that of topics that have none of their own, as in Kafka.
const defaultRetention = 7 * 24 * time.Hour

// retain deletes old segments until the broker is closed.
//
// kfake's own retention is not used: after a restart it does not run before a topic is created or
// changed, and it may empty a partition, which then starts again at offset 0 after the next
// restart.
func (b *Broker) retain() {
	tick := time.NewTicker(b.opts.RetentionEvery)
	defer tick.Stop()
	for {
		select {
		case <-b.stop:
			return
		case now := <-tick.C:
			if err := b.trim(now); err != nil {
				b.opts.Logger.Warn("broker: could not delete old log segments", "err", err)
			}
		}
	}
}

// trim deletes what the topics' retention no longer keeps at a point in time.
func (b *Broker) trim(now time.Time) error {
	topics, _, err := readTopics(b.opts.Dir, nil)
	if err != nil {
		return err
	}
	for _, t := range topics {
		r := t.retention()
		for p := range t.Partitions {
			files, err := segmentFiles(filepath.Join(b.opts.Dir, partitionsDir, partDir(t.Name, p)))
			if err != nil {
				return err
			}
			cut, ok := r.cut(files, now)
			if !ok {
				continue
			}
			if err := b.cluster.DeleteRecords(t.Name, p, cut); err != nil {
				// The topic may have been deleted, or a client has deleted more.
				b.opts.Logger.Debug("broker: delete records", "topic", t.Name, "partition", p, "before", cut, "err", err)
			}
		}
	}
	return nil
}

// retention is a topic's; negative is for ever.
type retention struct {
	age   time.Duration
	bytes int64
}

func (t topicJSON) retention() retention {
	if strings.Contains(t.Configs["cleanup.policy"], "compact") {
		return retention{-1, -1}
	}
	r := retention{defaultRetention, -1}
	if ms, err := strconv.ParseInt(t.Configs["retention.ms"], 10, 64); err == nil {
		r.age = time.Duration(min(ms, int64(1<<63-1)/int64(time.Millisecond))) * time.Millisecond
	}
	if n, err := strconv.ParseInt(t.Configs["retention.bytes"], 10, 64); err == nil {
		r.bytes = n
	}
	return r
}

// cut returns the offset before which records go, always the base of a segment and never behind the
// last one's.
func (r retention) cut(files []segmentInfo, now time.Time) (before int64, ok bool) {
	var total int64
	for _, f := range files {
		total += f.size
	}
	keep := 0
	for ; keep < len(files)-1; keep++ {
		f := files[keep]
		old := r.age >= 0 && now.Sub(f.written) >= r.age
		much := r.bytes >= 0 && total-f.size >= r.bytes
		if !old && !much {
			break
		}
		total -= f.size
	}
	if keep == 0 {
		return 0, false
	}
	return files[keep].base, true
}

type segmentInfo struct {
	base    int64
	size    int64
	written time.Time // last
}

// segmentFiles lists a partition's segments in order of offset, without empty ones: the last of the
// list must hold records, for it is what keeps the partition's offset.
func segmentFiles(dir string) ([]segmentInfo, error) {
	bases, err := listSegments(dir)
	if os.IsNotExist(err) {
		return nil, nil // nothing was written yet
	}
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	var files []segmentInfo
	for _, base := range bases {
		info, err := os.Stat(filepath.Join(dir, segmentFile(base)))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list segments: %w", err)
		}
		if info.Size() > 0 {
			files = append(files, segmentInfo{base, info.Size(), info.ModTime()})
		}
	}
	return files, nil
}
