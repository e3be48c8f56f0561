package broker

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What takes files of the log away while it is written to is found by Check, and what the broker
// does itself is not.
func TestCheck(t *testing.T) {
	f := func(name string, harm func(t *testing.T, first, middle, last string), want string) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := mustOpen(t, Options{Dir: dir, SegmentBytes: minSegmentBytes, RetentionEvery: time.Hour})
			c := mustClient(t, b)
			mustCreate(t, c, testTopic, 1, map[string]string{"retention.ms": "-1"})
			look := func() error { return b.Check(t.Context()) }
			for range 4 {
				value := make([]byte, minSegmentBytes)
				rand.Read(value)
				if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: testTopic, Value: value}).FirstErr(); err != nil {
					t.Fatal(err)
				}
				if err := look(); err != nil {
					t.Fatal(err)
				}
			}
			look() // twice of what the last one holds
			part := filepath.Join(dir, partitionsDir, partDir(testTopic, 0))
			bases, err := listSegments(part)
			if err != nil || len(bases) < 3 {
				t.Fatalf("segments %v, %v", bases, err)
			}
			path := func(i int) string { return filepath.Join(part, segmentFile(bases[i])) }
			harm(t, path(0), path(len(bases)/2), path(len(bases)-1))
			for range 2 { // it stays as it is
				err := look()
				if want == "" && err == nil {
					continue
				}
				if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), want) || want == "" {
					t.Errorf("%v, want %q", err, want)
				}
			}
		})
	}
	truncate := func(t *testing.T, path string) {
		info, err := os.Stat(path)
		if err == nil {
			err = os.Truncate(path, info.Size()-1)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	must := func(t *testing.T, errs ...error) {
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	f("nothing", func(*testing.T, string, string, string) {}, "")
	f("the first goes, as by retention", func(t *testing.T, first, _, _ string) { must(t, os.Remove(first)) }, "")
	f("one in the middle goes", func(t *testing.T, _, middle, _ string) { must(t, os.Remove(middle)) }, "was removed while it was in use")
	f("the last goes", func(t *testing.T, _, _, last string) { must(t, os.Remove(last)) }, "was removed while it was in use")
	f("the folder goes", func(t *testing.T, first, _, _ string) { must(t, os.RemoveAll(filepath.Dir(first))) }, "was removed while it was in use")
	f("a sealed one is cut short", func(t *testing.T, first, _, _ string) { truncate(t, first) }, "was cut short while it was in use")
	f("the last is cut short", func(t *testing.T, _, _, last string) { truncate(t, last) }, "was cut short while it was in use")
	f("one is replaced", func(t *testing.T, _, middle, _ string) {
		raw, err := os.ReadFile(middle)
		must(t, err, os.Rename(middle, middle+".old"), os.WriteFile(middle, raw, 0o600))
	}, "was replaced while it was in use")
	f("the list of topics goes", func(t *testing.T, first, _, _ string) {
		must(t, os.Remove(filepath.Join(filepath.Dir(first), "..", "..", topicsFile)))
	}, topicsFile+" is missing")
}

// A size that is seen once may be taken back by the broker: what it could write only a part of.
func TestCheckForgivesWhatWasTakenBack(t *testing.T) {
	root := t.TempDir()
	part := filepath.Join(root, partitionsDir, "a-0")
	path := filepath.Join(part, segmentFile(0))
	if err := os.MkdirAll(part, 0o700); err != nil {
		t.Fatal(err)
	}
	var w watch
	f := func(size int, fails bool) {
		t.Helper()
		file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			err = errors.Join(file.Truncate(int64(size)), file.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.look(root, "a-0"); (err != nil) != fails {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	for _, size := range slices.Repeat([]int{100, 140}, 3) {
		f(size, false)
	}
	f(140, false)
	f(100, true)
	f(140, false)
}
