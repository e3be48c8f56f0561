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
	"strings"

	"millrace/engine/event"
	"millrace/internal/blob"
)

// progressVersion is the version of Progress that this code reads and writes.
const progressVersion = 1

// progressPrefix is where the progress of all partitions is. Readers of Parquet pass over names that start
// with an underscore.
const progressPrefix = "_progress/"

// ErrProgress is wrapped by the error for a progress object that is not what an archiver or importer of this version
// wrote. Trying again does not help; the error says what does.
var ErrProgress = errors.New("the progress object is damaged or of another version")

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
	// earlier event time is archived, except what was late at the collector. Before the first segment it is the low
	// watermark of the first record.
	Low event.Time `json:"low"`
	// Began is the low watermark of the first record, ms, if the log had others before it and the archive no object of them:
	// after the archive was lost, say, or with a new one beside an old log. Else 0. If the record can't be read it is
	// beganUnknown, until the first segment is stored, and its Low from then on.
	Began event.Time `json:"began,omitempty"`
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

// beganUnknown is Began while it is not known. Low is 0 then, so that nothing counts as complete.
const beganUnknown event.Time = -1

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
		p, err := decodeProgress(key, body)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// decodeProgress reads a progress object. Its errors wrap ErrProgress and say what an operator can do.
func decodeProgress(key string, body []byte) (Progress, error) {
	var p Progress
	err := json.Unmarshal(body, &p)
	switch {
	case err != nil:
	case p.Version != progressVersion:
		err = fmt.Errorf("version %d, this build reads %d", p.Version, progressVersion)
	case p.key() != key:
		err = fmt.Errorf("it holds the progress that belongs under %q", p.key())
	default:
		return p, nil
	}
	// Deleting is safe: the committed offset never passes the progress, so at worst a piece of the log is archived a
	// second time, and readPartition drops what is there twice.
	way := "the archive of this partition then goes on at the offset that is committed in the log"
	if strings.HasPrefix(key, progressPrefix+ImportPrefix) {
		way = "importing the same file again then writes it anew"
	}
	return Progress{}, fmt.Errorf("object %q of the archive: %w: %w; restore it from a copy, or delete it: %s, and no event is lost",
		key, ErrProgress, err, way)
}
