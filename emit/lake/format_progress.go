package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	pq "github.com/parquet-go/parquet-go"

	"millrace/emit/lake/seal"
	"millrace/engine/event"
	"millrace/engine/wire"
	"millrace/internal/blob"
	"millrace/internal/kafka"
)

// progressVersion is the version of Progress that this code reads and writes.
const progressVersion = 1

// progressPrefix begins the keys of the progress of all partitions. Its objects are Parquet files
// without a row, in an hour that no event of ours has, with the progress in the file's metadata, so
// that the folder of the archive can be read as one by whatever reads Parquet: polars refuses a
// folder with a file of another kind, hidden or not. Readers that pass over names with an
// underscore (pyarrow, Spark) don't see them at all. The hour has two digits without a leading
// zero, by which DuckDB would take hr for a text.
const progressPrefix = "dt=1970-01-01/hr=10/_progress."

// oldProgressPrefix is where the builds before had it, as JSON. It is read, and moved when an
// archiver starts.
const oldProgressPrefix = "_progress/"

// progressKey is the key of a progress object's metadata.
const progressKey = "millrace.progress"

// ErrProgress is wrapped by the error for a progress object that is not what an archiver or
// importer of this version wrote. Trying again does not help; the error names what does.
var ErrProgress = errors.New("the progress object is damaged or of another version")

// Progress is how far the archive of one partition has come. It is written after the objects of a
// segment, and the offset commit follows it, so that it is never ahead of the objects and never
// behind the commit.
//
// Its object's name holds NextOffset, and the highest is the one that counts: an owner that was
// suspended and has been replaced can therefore not set its successor's progress back.
type Progress struct {
	Version   int    `json:"version"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Prefix is what went before Topic in the names of the cluster. The archive's own do without, so
	// that it can be read by who does not know it.
	Prefix string `json:"topicPrefix,omitempty"`
	// Partitions is the number of partitions of the topic.
	Partitions int32 `json:"partitions"`
	// NextOffset is the first offset that is not archived.
	NextOffset int64 `json:"nextOffset"`
	// Low is the partition's watermark at NextOffset, ms: everything that a collector had taken in
	// for an earlier event time is archived, except what was late at the collector. Before the
	// first segment it is the low watermark of the first record.
	Low event.Time `json:"low"`
	// Began is the low watermark of the first record, ms, if the log had others before it and the
	// archive no object of them: after the archive was lost, say, or with a new one beside an old
	// log. Else 0. If the record can't be read it is beganUnknown, until the first segment is
	// stored, and its Low from then on.
	Began event.Time `json:"began,omitempty"`
	// Rows and Skipped count the partition's archived events, and records that could not be
	// decoded.
	Rows    int64 `json:"rows"`
	Skipped int64 `json:"skipped"`
	// Collectors are what Low is computed from.
	Collectors map[string]low `json:"collectors,omitempty"`
	// Cut is how the segment that begins at NextOffset is to be cut, whatever is configured by the
	// time it is: only so does a segment that was left half uploaded come out the same again.
	Cut Cut `json:"cut"`
	// LastSum is a hash of the record before NextOffset, by which the log is recognized.
	LastSum string `json:"lastSum,omitempty"`
}

// beganUnknown is Began while it is not known. Low is 0 then, so that nothing counts as complete.
const beganUnknown event.Time = -1

// Cut is where segments end, in terms of what is in the log. A segment ends after the record with
// which it reaches one of these.
type Cut struct {
	Rows  int        `json:"rows"`  // events
	Bytes int64      `json:"bytes"` // sum of the lengths of the records' values
	Flush event.Time `json:"flush"` // ms that one collector's low watermark has moved within the segment
}

func (p *Progress) key() string {
	return fmt.Sprintf("%s%s-%d-%020d.parquet", progressPrefix, p.Topic, p.Partition, p.NextOffset)
}

func (p *Progress) oldKey() string {
	return fmt.Sprintf("%s%s-%d-%020d.json", oldProgressPrefix, p.Topic, p.Partition, p.NextOffset)
}

// CheckPrefix returns ErrLog unless the archive in a store, which the progress is of, was made of the
// topics of these names: the offsets of others mean nothing here.
func (p *Progress) CheckPrefix(store fmt.Stringer, names kafka.Names) error {
	if p.Prefix == names.Prefix {
		return nil
	}
	return fmt.Errorf("the archive in %s was made with %s, and this process has %s: %w: %s",
		store, kafka.Names{Prefix: p.Prefix}.Described(), names.Described(), ErrLog, elsewhere)
}

// ProgressPattern names the progress objects of a partition, for people.
func ProgressPattern(topic string, partition int32) string {
	return fmt.Sprintf("%s%s-%d-*.parquet", progressPrefix, topic, partition)
}

var progressForm = regexp.MustCompile(`^(?:_progress/(.+)-(\d+)-(\d{20})\.json|dt=1970-01-01/hr=10/_progress\.(.+)-(\d+)-(\d{20})\.parquet)$`)

// parseProgressKey returns the partition and the offset that a key names, in forms that are ordered
// by bytes.
func parseProgressKey(key string) (partition, offset string, ok bool) {
	m := progressForm.FindStringSubmatch(key)
	if m == nil {
		return "", "", false
	}
	return m[1] + m[4] + "-" + m[2] + m[5], m[3] + m[6], true
}

// isProgress reports whether a key lies where the progress is.
func isProgress(key string) bool { return strings.HasPrefix(key, progressPrefix) }

// encode returns the object of p.
func (p *Progress) encode() ([]byte, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return emptyObject(progressKey, string(text))
}

// emptyObject returns a Parquet file without a row, sealed, with a text in its metadata.
func emptyObject(key, text string) ([]byte, error) {
	var out bytes.Buffer
	w := pq.NewGenericWriter[any](&out, schema(), pq.CreatedBy("millrace", "1", "lake.v1"), pq.KeyValueMetadata(key, text))
	if err := w.Close(); err != nil {
		return nil, err
	}
	return seal.Seal(out.Bytes())
}

// objectText returns the text that emptyObject has put under a key of an object's metadata.
func objectText(body []byte, key string) (text string, err error) {
	err = seal.Guard(func() error {
		if err := seal.Check(body); err != nil {
			return err
		}
		f, err := pq.OpenFile(bytes.NewReader(body), int64(len(body)), pq.SkipBloomFilters(true), pq.SkipPageIndex(true))
		if err != nil {
			return err
		}
		var ok bool
		if text, ok = f.Lookup(key); !ok {
			return fmt.Errorf("no %s in its metadata", key)
		}
		return nil
	})
	return text, err
}

// listProgress returns the keys of the highest progress object of each partition whose name, behind
// the prefix, starts with name, in order of the partitions. Of two with one offset it is that of
// today's form.
func listProgress(ctx context.Context, store blob.Store, name string) ([]string, error) {
	best := map[string]string{} // by partition
	highest := map[string]string{}
	for _, prefix := range []string{oldProgressPrefix, progressPrefix} {
		for info, err := range store.List(ctx, prefix+name, "") {
			if err != nil {
				return nil, err
			}
			if partition, offset, ok := parseProgressKey(info.Key); ok && offset >= highest[partition] {
				best[partition], highest[partition] = info.Key, offset
			}
		}
	}
	keys := make([]string, 0, len(best))
	for _, partition := range slices.Sorted(maps.Keys(best)) {
		keys = append(keys, best[partition])
	}
	return keys, nil
}

// loadProgress returns the progress of one partition, or nil if there is none.
func loadProgress(ctx context.Context, store blob.Store, topic string, partition int32) (*Progress, error) {
	all, err := readProgress(ctx, store, topic+"-"+strconv.Itoa(int(partition))+"-")
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

// MoveProgress writes the progress that a build before this one left as JSON in today's form, and
// deletes the old objects. It may be repeated, and run beside others that do it. What can't be read
// stays, for a reader to report. An object that may not be deleted stays too, and does no harm but
// to polars.
func MoveProgress(ctx context.Context, store blob.Store) error {
	newest, err := listProgress(ctx, store, "")
	if err != nil {
		return err
	}
	for _, key := range newest {
		if !strings.HasPrefix(key, oldProgressPrefix) {
			continue
		}
		body, err := store.Get(ctx, key)
		if errors.Is(err, blob.ErrNotFound) {
			continue // another process has moved it
		}
		if err != nil {
			return err
		}
		p, err := decodeProgress(key, body)
		if err != nil {
			continue
		}
		if body, err = p.encode(); err == nil {
			err = store.Put(ctx, p.key(), body)
		}
		if err != nil {
			return err
		}
	}
	return dropOldProgress(ctx, store)
}

// dropOldProgress deletes the old objects of which today's form has as much.
func dropOldProgress(ctx context.Context, store blob.Store) error {
	highest := map[string]string{}
	for info, err := range store.List(ctx, progressPrefix, "") {
		if err != nil {
			return err
		}
		if partition, offset, ok := parseProgressKey(info.Key); ok {
			highest[partition] = max(highest[partition], offset)
		}
	}
	var old []string
	for info, err := range store.List(ctx, oldProgressPrefix, "") {
		if err != nil {
			return err
		}
		partition, offset, ok := parseProgressKey(info.Key)
		if info.Key == oldProbeKey || ok && offset <= highest[partition] {
			old = append(old, info.Key)
		}
	}
	for _, key := range old {
		_ = store.Delete(ctx, key) // some may put and not delete
	}
	return nil
}

// readProgress returns the progress of all partitions whose object's name starts with name.
func readProgress(ctx context.Context, store blob.Store, name string) ([]Progress, error) {
	// Its owner deletes a progress object when the next one is there, maybe between our listing and
	// our reading: then look again.
	const tries = 10
	for try := 1; ; try++ {
		all, err := tryReadProgress(ctx, store, name)
		if !errors.Is(err, blob.ErrNotFound) || try == tries {
			return all, err
		}
	}
}

func tryReadProgress(ctx context.Context, store blob.Store, name string) ([]Progress, error) {
	keys, err := listProgress(ctx, store, name)
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

// decodeProgress reads a progress object. Its errors wrap ErrProgress and name what an operator can
// do.
func decodeProgress(key string, body []byte) (Progress, error) {
	var p Progress
	text, err := string(body), error(nil)
	if isProgress(key) {
		text, err = objectText(body, progressKey)
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &p)
	}
	switch {
	case err != nil:
	case p.Version > progressVersion:
		return Progress{}, fmt.Errorf("object %q of the archive: %w", key, wire.Newer(p.Version, progressVersion, progressVersion))
	case p.Version != progressVersion:
		err = fmt.Errorf("version %d, this build reads %d", p.Version, progressVersion)
	case p.key() != key && p.oldKey() != key:
		err = fmt.Errorf("it holds the progress that belongs under %q", p.key())
	default:
		return p, nil
	}
	// Deleting is safe: the committed offset never passes the progress, so at worst a piece of the
	// log is archived a second time, and readPartition drops what is there twice.
	others := ""
	way := "the archive of this partition then goes on at the offset that is committed in the log"
	switch m := progressForm.FindStringSubmatch(key); {
	case strings.HasPrefix(key, progressPrefix+ImportPrefix), strings.HasPrefix(key, oldProgressPrefix+ImportPrefix):
		way = "importing the same file again then writes it anew"
	case m != nil && m[4] != "":
		others = fmt.Sprintf(" and the earlier ones of its partition, \"%s%s-%s-*\"", progressPrefix, m[4], m[5])
	}
	return Progress{}, fmt.Errorf("object %q of the archive: %w: %w; restore it from a copy, or delete it%s: %s, and no event is lost",
		key, ErrProgress, err, others, way)
}

// HasImports reports whether the archive has a file that was imported whole.
func HasImports(ctx context.Context, store blob.Store) (bool, error) {
	for _, prefix := range []string{progressPrefix, oldProgressPrefix} {
		for _, err := range store.List(ctx, prefix+ImportPrefix, "") {
			return err == nil, err
		}
	}
	return false, nil
}
