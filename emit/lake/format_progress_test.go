package lake

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/emit/lake/seal"
	"millrace/engine/event"
	"millrace/engine/wire"
	"millrace/internal/blob"
)

// putOld stores progress as the builds before did.
func putOld(t *testing.T, store blob.Store, p Progress) {
	t.Helper()
	if err := store.Put(t.Context(), p.oldKey(), must(json.Marshal(p))); err != nil {
		t.Fatal(err)
	}
}

func progressAt(topic string, partition int32, next int64) Progress {
	return Progress{Version: progressVersion, Topic: topic, Partition: partition, Partitions: 2, NextOffset: next, Low: t0}
}

// asOld turns the progress of a lake into what the builds before wrote.
func asOld(t *testing.T, store blob.Store) {
	t.Helper()
	for _, p := range must(NewReader(store).Progress(t.Context())) {
		putOld(t, store, p)
		if err := store.Delete(t.Context(), p.key()); err != nil {
			t.Fatal(err)
		}
	}
}

// What a newer build has written is refused by its number, and not called damaged.
func TestNewerFormats(t *testing.T) {
	t.Parallel()
	const want = "data of a newer Millrace (format 2; this one reads 1): use the newer program"
	p := Progress{Version: progressVersion + 1, Topic: testTopic, Partitions: 1, NextOffset: 7}
	_, err := decodeProgress(p.key(), must(p.encode()))
	if !errors.Is(err, wire.ErrNewer) || errors.Is(err, ErrProgress) || !strings.Contains(err.Error(), want) {
		t.Errorf("progress: %v", err)
	}
	b := newBuffer()
	b.add(&event.Event{Site: "a.example", Name: "x", Time: 5, Received: 5}, 5, 0)
	err = b.objects(testTopic, 0, segment{Format: objectFormat + 1, First: 5, Next: 6, Rows: 1}, nil, nil, func(_ Key, body []byte) error {
		return protect("x.parquet", func() error { _, err := openObject(body); return err })
	})
	if !errors.Is(err, wire.ErrNewer) || errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), want) {
		t.Errorf("object: %v", err)
	}
}

// An archive of a build before is read as it is, moved when an archiver starts, and goes on where
// it was.
func TestOldProgress(t *testing.T) {
	t.Parallel()
	log := newGenerator(9).log(400, 15*event.Minute)
	whole := newMemory()
	if err := feed(session(t), mustArchiver(t, smallOptions(whole)), log, 0); err != nil {
		t.Fatal(err)
	}
	store := newMemory()
	a := mustArchiver(t, smallOptions(store))
	if err := feed(session(t), a, log[:200], 0); err != nil {
		t.Fatal(err)
	}
	before := must(NewReader(store).ProgressOf(t.Context(), testTopic))
	asOld(t, store)
	if after := must(NewReader(store).ProgressOf(t.Context(), testTopic)); len(after) != 1 || after[0].NextOffset != before[0].NextOffset || after[0].Low != before[0].Low {
		t.Errorf("progress was %+v, in the old form it is %+v", before, after)
	}
	mustCheck(t, store)
	// Without a move the archiver goes on, too: the store may have been away at the start.
	if err := feed(session(t), mustArchiver(t, smallOptions(store)), log, a.Limit(testTopic, 0)); err != nil {
		t.Fatal(err)
	}
	if err := MoveProgress(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	sameContents(t, contents(t, store), contents(t, whole))
	mustCheck(t, store)
}

func TestMoveProgress(t *testing.T) {
	t.Parallel()
	store := newMemory()
	putOld(t, store, progressAt("millrace.events", 0, 100))
	putOld(t, store, progressAt("millrace.events", 0, 90)) // was not deleted
	putOld(t, store, progressAt("millrace.events", 1, 70))
	putOld(t, store, progressAt("import-0123456789ab", 0, 5))
	newer := progressAt("millrace.events", 1, 80)
	if err := store.Put(t.Context(), newer.key(), must(newer.encode())); err != nil {
		t.Fatal(err)
	}
	damaged := strings.Replace((&newer).oldKey(), "-1-", "-7-", 1)
	for _, key := range []string{damaged, oldProbeKey} {
		if err := store.Put(t.Context(), key, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := MoveProgress(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		want := map[string]bool{damaged: true, newer.key(): true}
		for _, p := range []Progress{progressAt("millrace.events", 0, 100), progressAt("import-0123456789ab", 0, 5)} {
			want[p.key()] = true
		}
		got := contents(t, store)
		for key := range got {
			if !want[key] {
				t.Errorf("%s is there", key)
			}
			delete(want, key)
		}
		if len(want) > 0 {
			t.Errorf("there is no %v", want)
		}
	}
	if err := store.Delete(t.Context(), damaged); err != nil {
		t.Fatal(err)
	}
	all := must(NewReader(store).Progress(t.Context()))
	if got := fmt.Sprint(all[0].NextOffset, all[1].NextOffset, all[2].NextOffset); len(all) != 3 || got != "5 100 80" {
		t.Errorf("offsets %s of %d", got, len(all))
	}
}

// Of two forms the one that is further counts, whichever it is.
func TestHighestProgress(t *testing.T) {
	t.Parallel()
	f := func(old, now, want int64) {
		t.Helper()
		store := newMemory()
		putOld(t, store, progressAt("e", 0, old))
		p := progressAt("e", 0, now)
		if err := store.Put(t.Context(), p.key(), must(p.encode())); err != nil {
			t.Fatal(err)
		}
		got, err := loadProgress(t.Context(), store, "e", 0)
		if err != nil || got.NextOffset != want {
			t.Errorf("old %d, now %d: %+v, %v", old, now, got, err)
		}
		if keys := must(listProgress(t.Context(), store, "")); len(keys) != 1 {
			t.Errorf("two count: %q", keys)
		}
	}
	f(5, 7, 7)
	f(7, 5, 7)
	f(7, 7, 7)
}

// The whole archive is Parquet and nothing else, and its progress is no object of rows.
func TestOnlyParquet(t *testing.T) {
	t.Parallel()
	store := newMemory()
	log := newGenerator(3).log(100, 12*event.Minute)
	a := mustArchiver(t, smallOptions(store))
	if err := a.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := feed(session(t), a, log, 0); err != nil {
		t.Fatal(err)
	}
	for key, body := range contents(t, store) {
		if !strings.HasPrefix(key, "dt=") || !strings.HasSuffix(key, ".parquet") {
			t.Errorf("%s", key)
		}
		if err := seal.Check([]byte(body)); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		if _, err := ParseKey(key); (err == nil) == isProgress(key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// Progress that was replaced stays for those who are reading the folder, but not for ever, whoever
// wrote it.
func TestReplacedProgressStays(t *testing.T) {
	t.Parallel()
	store := newMemory()
	log := newGenerator(4).log(3000, 100*event.Minute)
	now := time.Unix(1_800_000_000, 0)
	o := smallOptions(store)
	o.keepProgress, o.now = 0, func() time.Time { return now }
	a := mustArchiver(t, o)
	count := func() (n int) {
		for key := range contents(t, store) {
			if isProgress(key) {
				n++
			}
		}
		return n
	}
	mustFeed := func(records []record, from int64) {
		t.Helper()
		if err := feed(session(t), a, records, from); err != nil {
			t.Fatal(err)
		}
	}
	mustFeed(log[:400], 0)
	if n := count(); n < 3 || n > mostOld {
		t.Errorf("%d progress objects, some were deleted at once", n)
	}
	mustFeed(log[:1200], a.Limit(testTopic, 0))
	if n := count(); n != mostOld+1 {
		t.Errorf("%d progress objects, want %d", n, mostOld+1)
	}
	limit := a.Limit(testTopic, 0)
	a = mustArchiver(t, o) // a restart
	mustFeed(log[:limit+1], limit)
	now = now.Add(10 * time.Minute)
	mustFeed(log[:limit+120], limit)
	if n := count(); n > 10 {
		t.Errorf("%d progress objects, those of the one before stay", n)
	}
}
