package lake

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"millrace/engine/event"
)

// ImportPrefix starts the topic name of rows that no Kafka topic holds, but an imported file.
const ImportPrefix = "import-"

// Key names an object of the lake: the rows of one segment of a partition's log that lie in one
// hour.
type Key struct {
	Hour      event.Time // start of the hour of event time
	Topic     string
	Partition int32
	First     int64 // first offset of the segment, whether or not the object holds a row of it
}

// String returns the object's key, dt=YYYY-MM-DD/hr=HH/<topic>-<partition>-<first, 20
// digits>.parquet. In byte order of the keys a partition's objects of an hour are in order of the
// log.
func (k Key) String() string {
	return fmt.Sprintf("%s%s-%d-%020d.parquet", hourDir(k.Hour), k.Topic, k.Partition, k.First)
}

func hourDir(hour event.Time) string { return hour.Std().Format("dt=2006-01-02/hr=15/") }

// The hours that directories can name: four digits of a year.
const (
	firstHour event.Time = -62135596800000 // 0001-01-01T00
	lastHour  event.Time = 253402297200000 // 9999-12-31T23
)

// hourOf returns the hour that a row is filed under. Rows of event times that no directory can name
// are filed under the nearest one.
func hourOf(t event.Time) event.Time {
	return max(firstHour, min(lastHour, t)).Floor(event.Hour)
}

var keyForm = regexp.MustCompile(`^dt=(\d{4}-\d{2}-\d{2})/hr=(\d{2})/(.+)-(\d+)-(\d{20})\.parquet$`)

// ParseKey reads what String writes, and only that.
func ParseKey(s string) (Key, error) {
	bad := func() (Key, error) { return Key{}, fmt.Errorf("object %q: not the name of an object of the lake", s) }
	m := keyForm.FindStringSubmatch(s)
	if m == nil || isProgress(s) {
		return bad()
	}
	hour, err := parseHour(m[1], m[2])
	if err != nil {
		return bad()
	}
	partition, err := strconv.ParseInt(m[4], 10, 32)
	if err != nil {
		return bad()
	}
	first, err := strconv.ParseInt(m[5], 10, 64)
	if err != nil {
		return bad()
	}
	k := Key{Hour: hour, Topic: m[3], Partition: int32(partition), First: first}
	if k.String() != s {
		return bad()
	}
	return k, nil
}

// isObject reports whether a key is one that ParseKey is meant for: anything else below the lake is
// not ours.
func isObject(key string) bool {
	return strings.HasPrefix(key, "dt=") && strings.HasSuffix(key, ".parquet") && !isProgress(key)
}
