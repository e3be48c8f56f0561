package broker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const testRecords = 200 // four segments

// crashedFolder returns what a kill leaves of a broker with several segments and a committed
// offset, and the same with a clean close.
func crashedFolder(t *testing.T) (crashed, closed string) {
	t.Helper()
	dir := t.TempDir()
	o := Options{Dir: dir, SegmentBytes: minSegmentBytes}
	b := mustOpen(t, o)
	c := mustClient(t, b)
	mustCreate(t, c, testTopic, 1, nil)
	if err := b.Remember(); err != nil {
		t.Fatal(err)
	}
	mustProduce(t, c, testTopic, 0, testRecords)
	commit(t, c, "group", 7)
	crashed = crashCopy(t, dir)
	c.Close()
	mustClose(t, b)
	return crashed, dir
}

func segmentPaths(t *testing.T, dir string) []string {
	t.Helper()
	pdir := filepath.Join(dir, partitionsDir, partDir(testTopic, 0))
	bases, err := listSegments(pdir)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, b := range bases {
		paths = append(paths, filepath.Join(pdir, segmentFile(b)))
	}
	return paths
}

func edit(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(raw), 0o600); err != nil {
		t.Fatal(err)
	}
}

func flip(at int) func([]byte) []byte {
	return func(raw []byte) []byte {
		if at < 0 {
			at += len(raw)
		}
		raw[at] ^= 0xff
		return raw
	}
}

func add(s string) func([]byte) []byte { return func(raw []byte) []byte { return append(raw, s...) } }

func cut(n int) func([]byte) []byte { return func(raw []byte) []byte { return raw[:len(raw)-n] } }

// What a crash can leave is repaired: lost is how many records at the end may go, and nothing else
// may.
func TestOpenRepairs(t *testing.T) {
	t.Parallel()
	f := func(name string, lost int, damage func(t *testing.T, dir string, segments []string)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			crashed, closed := crashedFolder(t)
			for _, dir := range []string{crashed, closed} {
				damage(t, dir, segmentPaths(t, dir))
				if lost > 0 && dir == closed {
					if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrDamaged) { // it was whole when it was closed
						t.Fatal(err)
					}
					continue
				}
				o := Options{Dir: dir, SegmentBytes: minSegmentBytes, Logger: slog.New(slog.DiscardHandler)}
				b := mustOpen(t, o)
				_, values := mustConsume(t, b, testTopic, 0)
				wantValues(t, values, testRecords-lost)
				c := mustClient(t, b)
				if got := committed(t, c, "group"); got != 7 {
					t.Fatalf("committed offset %d, want 7", got)
				}
				mustProduce(t, c, testTopic, testRecords-lost, testRecords+50)
				commit(t, c, "group", 8)
				again := crashCopy(t, dir)
				c.Close()
				mustClose(t, b)

				o.Dir = again
				b = mustOpen(t, o)
				_, values = mustConsume(t, b, testTopic, 0)
				wantValues(t, values, testRecords+50)
				c = mustClient(t, b)
				if got := committed(t, c, "group"); got != 8 {
					t.Fatalf("committed offset %d, want 8", got)
				}
				c.Close()
				mustClose(t, b)
			}
		})
	}
	last := func(s []string) string { return s[len(s)-1] }
	f("nothing", 0, func(*testing.T, string, []string) {})
	f("last batch cut", 1, func(t *testing.T, _ string, s []string) { edit(t, last(s), cut(5)) })
	f("last batch wrong", 1, func(t *testing.T, _ string, s []string) { edit(t, last(s), flip(-1)) })
	f("zeros behind the log", 0, func(t *testing.T, _ string, s []string) { edit(t, last(s), add(strings.Repeat("\x00", 5000))) })
	f("begun header", 0, func(t *testing.T, _ string, s []string) { edit(t, last(s), add("\x00\x00\x00")) })
	f("index gone", 0, func(t *testing.T, _ string, s []string) {
		os.Remove(strings.TrimSuffix(last(s), ".dat") + ".idx")
	})
	f("index wrong", 0, func(t *testing.T, _ string, s []string) {
		edit(t, strings.TrimSuffix(s[0], ".dat")+".idx", func(raw []byte) []byte { return []byte("nonsense, and not a whole entry") })
	})
	f("snapshot wrong", 0, func(t *testing.T, _ string, s []string) {
		os.WriteFile(filepath.Join(filepath.Dir(s[0]), snapshotFile), []byte(`{"version":1,"segm`), 0o600)
	})
	f("snapshot of an emptied log", 0, func(t *testing.T, _ string, s []string) {
		os.WriteFile(filepath.Join(filepath.Dir(s[0]), snapshotFile), []byte(`{"version":1,"high_watermark":9,"log_start_offset":0}`), 0o600)
	})
	f("committed offsets torn", 0, func(t *testing.T, dir string, _ []string) {
		edit(t, filepath.Join(dir, "groups.log"), add("\x50\x00\x00\x00torn"))
	})
	f("session state wrong", 0, func(t *testing.T, dir string, _ []string) {
		os.WriteFile(filepath.Join(dir, sessionFile), []byte("{"), 0o600)
	})
	f("empty topics.json", 0, func(t *testing.T, dir string, _ []string) { os.Truncate(filepath.Join(dir, topicsFile), 0) })
	for _, name := range []string{topicsFile, metaFile} {
		for _, at := range []int{1, 20, 47} {
			f(fmt.Sprintf("bit in %s at %d", name, at), 0, func(t *testing.T, dir string, _ []string) {
				edit(t, filepath.Join(dir, name), func(raw []byte) []byte { raw[at%len(raw)] ^= 1; return raw })
			})
		}
	}
	for _, name := range []string{"acls.json", "broker_configs.json", "quotas.json", "sasl.json", windowsFile} {
		f("wrong "+name, 0, func(t *testing.T, dir string, _ []string) {
			os.WriteFile(filepath.Join(dir, name), []byte(`[`), 0o600)
		})
	}
	f("bit in producer ids", 0, func(t *testing.T, dir string, _ []string) {
		edit(t, filepath.Join(dir, pidsFile), func(raw []byte) []byte { return append(flip(12)(raw), validEntry()...) })
	})
	f("bit in the end of a snapshot", 0, func(t *testing.T, dir string, s []string) {
		path := filepath.Join(filepath.Dir(s[0]), snapshotFile)
		if _, err := os.Stat(path); err == nil {
			edit(t, path, func(raw []byte) []byte {
				return bytes.Replace(raw, []byte(`"high_watermark":`), []byte(`"high_watermark":1`), 1)
			})
		}
	})
	f("temporary files left", 0, func(t *testing.T, dir string, _ []string) {
		os.WriteFile(filepath.Join(dir, topicsFile+".tmp"), []byte("{"), 0o600)
	})
}

// What no crash leaves is refused, and the folder stays as it was.
func TestOpenRefusesDamage(t *testing.T) {
	t.Parallel()
	f := func(name, want string, damage func(t *testing.T, dir string, segments []string)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			crashed, closed := crashedFolder(t)
			for _, dir := range []string{crashed, closed} {
				damage(t, dir, segmentPaths(t, dir))
				before := folderSizes(t, dir)
				_, err := Open(Options{Dir: dir})
				if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
					t.Fatalf("got %v, want ErrDamaged that says %q", err, want)
				}
				if after := folderSizes(t, dir); after != before {
					t.Fatalf("the folder has changed\nbefore %s\nafter  %s", before, after)
				}
			}
		})
	}
	f("bit in the first segment", "0.dat has a wrong checksum", func(t *testing.T, _ string, s []string) { edit(t, s[0], flip(-1)) })
	f("end of the first segment", "is cut short", func(t *testing.T, _ string, s []string) { edit(t, s[0], cut(5)) })
	f("bit amid the last segment", "more of the log follows", func(t *testing.T, _ string, s []string) { edit(t, s[len(s)-1], flip(70)) })
	f("segment gone", "are missing", func(t *testing.T, _ string, s []string) { os.Remove(s[1]) })
	f("segment doubled", "expected", func(t *testing.T, _ string, s []string) {
		edit(t, s[len(s)-1], func(raw []byte) []byte { return append(raw, raw...) })
	})
	f("last segment gone", "", func(t *testing.T, dir string, s []string) {
		os.Remove(s[len(s)-1])
		os.WriteFile(filepath.Join(filepath.Dir(s[0]), snapshotFile), []byte(`{"version":1,"high_watermark":200}`), 0o600)
	})
	f("no topics.json", "topics.json is missing", func(t *testing.T, dir string, _ []string) { os.Remove(filepath.Join(dir, topicsFile)) })
	f("no meta.json", "meta.json is missing", func(t *testing.T, dir string, _ []string) { os.Remove(filepath.Join(dir, metaFile)) })
	f("other topics.json", "does not know", func(t *testing.T, dir string, _ []string) {
		os.WriteFile(filepath.Join(dir, topicsFile), []byte(`{"version":1,"topics":[]}`), 0o600)
	})
	f("wrong topics.json without a copy", "topics.json", func(t *testing.T, dir string, _ []string) {
		os.WriteFile(filepath.Join(dir, topicsFile), []byte(`[`), 0o600)
		edit(t, filepath.Join(dir, copiesFile), flip(20))
	})
	f("newer meta.json", "newer", func(t *testing.T, dir string, _ []string) {
		os.WriteFile(filepath.Join(dir, metaFile), []byte(`{"version":99}`), 0o600)
	})
	f("bit in committed offsets", "groups.log", func(t *testing.T, dir string, _ []string) {
		edit(t, filepath.Join(dir, "groups.log"), func(raw []byte) []byte { return append(flip(12)(raw), validEntry()...) })
	})
}

func validEntry() []byte {
	e := []byte("\x02\x00\x00\x00....\x01\x00")
	binary.LittleEndian.PutUint32(e[4:], crc32.Checksum(e[entryPrefix:], castagnoli))
	return e
}

// folderSizes lists the log's files with sizes.
func folderSizes(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	for _, p := range segmentPaths(t, dir) {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(info.Name())
		b.WriteString(info.ModTime().String())
	}
	return b.String()
}

// kfake alone puts such a partition back to offset 0: a group that has committed would miss what
// comes.
func TestEmptiedPartitionKeepsItsOffset(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir()}
	b := mustOpen(t, o)
	c := mustClient(t, b)
	mustCreate(t, c, testTopic, 2, nil)
	mustProduce(t, c, testTopic, 0, 10)
	deleteAll(t, c, testTopic)
	for range 3 {
		c.Close()
		mustClose(t, b)
		b = mustOpen(t, o)
		c = mustClient(t, b)
		if start, end := offsets(t, c, testTopic, 0); start != 10 || end != 10 {
			t.Fatalf("offsets %d..%d, want 10..10", start, end)
		}
	}
	mustProduce(t, c, testTopic, 10, 20)
	if start, end := offsets(t, c, testTopic, 0); start != 10 || end != 20 {
		t.Fatalf("offsets %d..%d, want 10..20", start, end)
	}
	c.Close()
	mustClose(t, b)
	b = mustOpen(t, o)
	if _, values := mustConsume(t, b, testTopic, 0); len(values) != 10 || values[0] != value(10) {
		t.Fatalf("got %v", values)
	}
}

func deleteAll(t *testing.T, c *kgo.Client, topic string) {
	t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 5000
	req.Topics = []kmsg.DeleteRecordsRequestTopic{{
		Topic:      topic,
		Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: 0, Offset: -1}},
	}}
	resp, err := req.RequestWith(testContext(t), c)
	if err != nil {
		t.Fatal(err)
	}
	if code := resp.Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatalf("delete records: error code %d", code)
	}
}

func FuzzWalkSegment(f *testing.F) {
	f.Add([]byte{}, int64(0))
	f.Add(make([]byte, 100), int64(0))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x31\x00\x00\x00\x00\x02"+strings.Repeat("\x00", 44)), int64(0))
	f.Fuzz(func(t *testing.T, raw []byte, base int64) {
		path := filepath.Join(t.TempDir(), "0.dat")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := walkSegment(path, base)
		if err != nil {
			t.Fatal(err)
		}
		if s.valid > s.size || s.size != int64(len(raw)) || (s.reason == "") != (s.valid == s.size) {
			t.Fatalf("%+v of %d bytes", s, len(raw))
		}
	})
}

func FuzzNextEntry(f *testing.F) {
	f.Add([]byte{})
	f.Add(validEntry())
	f.Add([]byte("\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		n, ok := nextEntry(raw)
		if n < 0 || n > len(raw) || ok && n < entryPrefix+entryMinimum {
			t.Fatalf("entry of %d bytes, %v, in %d", n, ok, len(raw))
		}
	})
}
