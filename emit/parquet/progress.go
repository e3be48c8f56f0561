package parquet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"millrace/engine/event"
	"millrace/internal/blob"
)

// progressVersion is the version of Progress that this code reads and writes.
const progressVersion = 1

// progressPrefix is where the progress of all partitions is. Readers of Parquet pass over names that start
// with an underscore.
const progressPrefix = "_progress/"

// Progress says how far the archive of one partition has come. It is written after the objects of a segment,
// and the offset commit follows it, so that it is never ahead of the objects and never behind the commit.
//
// Its object's name holds NextOffset, and the highest is the one that counts: an owner that was suspended and
// has been replaced can therefore not set its successor's progress back.
type Progress struct {
	Version   int    `json:"version"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Partitions is the number of partitions of the topic.
	Partitions int32 `json:"partitions"`
	// NextOffset is the first offset that is not archived.
	NextOffset int64 `json:"nextOffset"`
	// Low is the partition's watermark at NextOffset, ms: everything that a collector had taken in for an
	// earlier event time is archived, except what was late at the collector.
	Low event.Time `json:"low"`
	// Rows and Skipped count the partition's archived events, and records that could not be decoded.
	Rows    int64 `json:"rows"`
	Skipped int64 `json:"skipped"`
	// Collectors are what Low is computed from.
	Collectors map[string]low `json:"collectors,omitempty"`
	// Cut is how the segment that begins at NextOffset is to be cut, whatever is configured by the time it
	// is: only so does a segment that was left half uploaded come out the same again.
	Cut Cut `json:"cut"`
	// LastSum is a hash of the record before NextOffset, by which the log is recognized.
	LastSum string `json:"lastSum,omitempty"`
}

// Cut is where segments end, in terms of what is in the log. A segment ends after the record with which it
// reaches one of these.
type Cut struct {
	Rows  int        `json:"rows"`  // events
	Bytes int64      `json:"bytes"` // sum of the lengths of the records' values
	Flush event.Time `json:"flush"` // ms that one collector's low watermark has moved within the segment
}

func (p *Progress) key() string {
	return fmt.Sprintf("%s%s-%d-%020d.json", progressPrefix, p.Topic, p.Partition, p.NextOffset)
}

var progressForm = regexp.MustCompile(`^_progress/(.+)-(\d+)-(\d{20})\.json$`)

// listProgress returns the keys of the highest progress object of each partition whose key starts with
// prefix, in order.
func listProgress(ctx context.Context, store blob.Store, prefix string) ([]string, error) {
	best := map[string]string{} // by the part before the offset; keys of a part sort by offset
	for info, err := range store.List(ctx, prefix, "") {
		if err != nil {
			return nil, err
		}
		if m := progressForm.FindStringSubmatch(info.Key); m != nil {
			best[m[1]+"-"+m[2]] = info.Key // the listing is in order: the last one is the highest
		}
	}
	return slices.Sorted(maps.Values(best)), nil
}

// loadProgress returns the progress of one partition, or nil if there is none.
func loadProgress(ctx context.Context, store blob.Store, topic string, partition int32) (*Progress, error) {
	prefix := progressPrefix + topic + "-" + strconv.Itoa(int(partition)) + "-"
	all, err := readProgress(ctx, store, prefix)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if p.Topic == topic && p.Partition == partition {
			return &p, nil
		}
	}
	return nil, nil
}

// readProgress returns the progress of all partitions whose key starts with prefix.
func readProgress(ctx context.Context, store blob.Store, prefix string) ([]Progress, error) {
	// Its owner deletes a progress object when the next one is there, maybe between our listing and our
	// reading: then look again.
	const tries = 10
	for try := 1; ; try++ {
		all, err := tryReadProgress(ctx, store, prefix)
		if !errors.Is(err, blob.ErrNotFound) || try == tries {
			return all, err
		}
	}
}

func tryReadProgress(ctx context.Context, store blob.Store, prefix string) ([]Progress, error) {
	keys, err := listProgress(ctx, store, prefix)
	if err != nil {
		return nil, err
	}
	all := make([]Progress, 0, len(keys))
	for _, key := range keys {
		body, err := store.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		var p Progress
		if err := json.Unmarshal(body, &p); err != nil {
			return nil, fmt.Errorf("object %q: %w", key, err)
		}
		if p.Version != progressVersion {
			return nil, fmt.Errorf("object %q: version %d, this build reads %d", key, p.Version, progressVersion)
		}
		if p.key() != key {
			return nil, fmt.Errorf("object %q: it holds the progress that belongs under %q", key, p.key())
		}
		all = append(all, p)
	}
	return all, nil
}
