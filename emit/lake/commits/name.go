package commits

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"

	"millrace/engine/event"
)

// Base is what a commit follows: the last one that counted.
type Base struct {
	Epoch, Offset int64
}

// Base returns that of the commit that is to follow.
func (s *State) Base() Base { return Base{max(s.Epoch, 1), s.Offset} }

// Dir returns the folder of a partition's table, with a slash at its end: hits/millrace.events-3/.
func Dir(t Table, topic string, partition int32) string {
	return fmt.Sprintf("%v/%s-%d/", t, topic, partition)
}

// FileName returns the key of a file: what it holds, the base of the commit that is to add it, and a hash of what it is made of.
// So what is made again on another base has another name (rule L4), and two writers on one base, which make the same file,
// write it to the same. Inputs are what the file is a function of besides its offsets: rules, keys of files that were merged.
//
//	hits/millrace.events-3/dt=2026-11-23/segment-00000000000000012345-00000000000000013007-1-41-9f86d081884c7d65.parquet
//
// The hash is over the day too. Where one commit adds several files of a day, n tells them apart.
func FileName(topic string, partition int32, base Base, t Table, dt event.Time, l Level, first, next int64, n int, inputs ...string) string {
	return fmt.Sprintf("%s%s%v-%020d-%020d-%s-%s.parquet", Dir(t, topic, partition), dt.Std().Format("dt=2006-01-02/"), l, first, next,
		base.name(), hash(append([]string{dt.String(), strconv.Itoa(n)}, inputs...)))
}

// CheckpointName returns the key of a checkpoint after the record last. It lies where readers of the table pass it over.
func CheckpointName(topic string, partition int32, base Base, last int64, inputs ...string) string {
	return fmt.Sprintf("%s_ledger/%020d-%s-%s.bin", Dir(Hits, topic, partition), last, base.name(), hash(inputs))
}

func (b Base) name() string { return fmt.Sprintf("%d-%d", b.Epoch, b.Offset+1) }

func hash(inputs []string) string {
	h := sha256.New()
	for _, s := range inputs {
		fmt.Fprintf(h, "%d %s", len(s), s)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

var nameForm = regexp.MustCompile(`-(\d+)-(\d+)-[0-9a-f]{16}\.(?:parquet|bin)$`)

// BaseOf returns the base that the name of a file or checkpoint holds, and false for other objects.
func BaseOf(key string) (Base, bool) {
	m := nameForm.FindStringSubmatch(key)
	if m == nil {
		return Base{}, false
	}
	epoch, err1 := strconv.ParseInt(m[1], 10, 64)
	offset, err2 := strconv.ParseInt(m[2], 10, 64)
	return Base{epoch, offset - 1}, err1 == nil && err2 == nil
}

// Before reports whether a commit on base b can't count any more when one on base c may.
func (b Base) Before(c Base) bool {
	return b.Epoch < c.Epoch || b.Epoch == c.Epoch && b.Offset < c.Offset
}
