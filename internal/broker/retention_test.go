package broker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestCut(t *testing.T) {
	now := time.UnixMilli(1_000_000_000)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	files := []segmentInfo{
		{0, 100, ago(30 * time.Hour)}, {10, 100, ago(25 * time.Hour)}, {20, 100, ago(23 * time.Hour)}, {30, 50, ago(0)},
	}
	day := 24 * time.Hour
	f := func(r retention, files []segmentInfo, want int64) {
		t.Helper()
		got, ok := r.cut(files, now)
		if !ok {
			got = -1
		}
		if got != want {
			t.Fatalf("%+v: cut at %d, want %d", r, got, want)
		}
	}
	f(retention{-1, -1}, files, -1)
	f(retention{day, -1}, files, 20)
	f(retention{0, -1}, files, 30) // the last stays
	f(retention{-1, 0}, files, 30) // here, too
	f(retention{-1, 350}, files, -1)
	f(retention{-1, 250}, files, 10)
	f(retention{-1, 249}, files, 10) // without the second it would hold only 150
	f(retention{day, 50}, files, 30)
	f(retention{0, 0}, files[:1], -1)
	f(retention{0, 0}, nil, -1)
}

func TestTopicRetention(t *testing.T) {
	f := func(configs map[string]string, want retention) {
		t.Helper()
		if got := (topicJSON{Configs: configs}).retention(); got != want {
			t.Fatalf("%v: %+v, want %+v", configs, got, want)
		}
	}
	f(nil, retention{7 * 24 * time.Hour, -1})
	f(map[string]string{"retention.ms": "1000", "retention.bytes": "5"}, retention{time.Second, 5})
	f(map[string]string{"retention.ms": "-1"}, retention{-time.Millisecond, -1})
	f(map[string]string{"retention.ms": "9223372036854775807"}, retention{9223372036854 * time.Millisecond, -1})
	f(map[string]string{"cleanup.policy": "compact", "retention.ms": "1"}, retention{-1, -1})
}

// Old segments leave the disk, also after a restart, and the offsets go on.
func TestRetentionDeletesSegments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := Options{Dir: dir, SegmentBytes: minSegmentBytes, RetentionEvery: 20 * time.Millisecond}
	b := mustOpen(t, o)
	c := mustClient(t, b)
	mustCreate(t, c, testTopic, 1, map[string]string{"retention.ms": "3600000"})
	mustCreate(t, c, "small", 1, map[string]string{"retention.bytes": "6000"})
	mustProduce(t, c, testTopic, 0, 300)
	mustProduce(t, c, "small", 0, 300)
	smallDir := filepath.Join(dir, partitionsDir, partDir("small", 0))
	eventually(t, "small is down to two segments", func() bool { return logBytes(t, smallDir) < 6000+minSegmentBytes+200 })
	if start, end := offsets(t, c, "small", 0); start == 0 || end != 300 {
		t.Fatalf("small: offsets %d..%d", start, end)
	}
	age(t, dir, 2*time.Hour)
	eventually(t, "one segment is left", func() bool { return len(segmentPaths(t, dir)) == 1 })
	c.Close()
	mustClose(t, b)

	b = mustOpen(t, o)
	c = mustClient(t, b)
	mustProduce(t, c, testTopic, 300, 600)
	age(t, dir, 2*time.Hour)
	eventually(t, "one segment is left after a restart", func() bool { return len(segmentPaths(t, dir)) == 1 })
	start, values := mustConsume(t, b, testTopic, 0)
	if start == 0 || int(start)+len(values) != 600 || values[0] != value(int(start)) {
		t.Fatalf("%d records from offset %d on", len(values), start)
	}
	crashed := crashCopy(t, dir)
	c.Close()
	mustClose(t, b)

	o.Dir = crashed
	c = mustClient(t, mustOpen(t, o))
	if s, e := offsets(t, c, testTopic, 0); s != start || e != 600 {
		t.Fatalf("offsets %d..%d after a crash, want %d..600", s, e, start)
	}
}

// In memory, kfake's own retention runs.
func TestRetentionInMemory(t *testing.T) {
	t.Parallel()
	b := mustOpen(t, Options{RetentionEvery: 20 * time.Millisecond})
	c := mustClient(t, b)
	mustCreate(t, c, testTopic, 1, map[string]string{"retention.ms": "100"})
	mustProduce(t, c, testTopic, 0, 10)
	eventually(t, "the log is empty", func() bool {
		start, end := offsets(t, c, testTopic, 0)
		return start == 10 && end == 10
	})
}

// age sets back the time of all segments.
func age(t *testing.T, dir string, by time.Duration) {
	t.Helper()
	at := time.Now().Add(-by)
	for _, p := range segmentPaths(t, dir) {
		if err := os.Chtimes(p, at, at); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

func logBytes(t *testing.T, dir string) (n int64) {
	t.Helper()
	files, err := segmentFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		n += f.size
	}
	return n
}

// A record larger than a segment, and than Kafka's default limit, is one batch like any other.
func TestLargeRecord(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir(), SegmentBytes: minSegmentBytes}
	b := mustOpen(t, o)
	c := mustClient(t, b, kgo.ProducerBatchMaxBytes(maxMessageBytes), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.BrokerMaxWriteBytes(maxRequestBytes))
	mustCreate(t, c, testTopic, 1, nil)
	big := strings.Repeat("x", 8<<20)
	if err := c.ProduceSync(testContext(t), &kgo.Record{Topic: testTopic, Value: []byte(big)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	c.Close()
	mustClose(t, b)
	if _, values := mustConsume(t, mustOpen(t, o), testTopic, 0); len(values) != 1 || values[0] != big {
		t.Fatalf("%d records", len(values))
	}
}
