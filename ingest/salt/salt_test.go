package salt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/internal/lockfile"
)

// clock is a clock that is set by hand. Its hour is not now's: a broker's clock is the machine's.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// mustOpen opens a keeper that steps only when it is told to, but for once where it has its salts in
// a file.
func mustOpen(tb testing.TB, o Options) *Keeper {
	tb.Helper()
	o.Every = 1000 * time.Hour
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	k, err := Open(ctx, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { k.Close() })
	return k
}

func mustStep(tb testing.TB, k *Keeper) {
	tb.Helper()
	if err := k.Step(context.Background()); err != nil {
		tb.Fatal(err)
	}
}

// mustCluster returns a broker with the topic as it is made.
func mustCluster(tb testing.TB) (*kfake.Cluster, []kgo.Opt) {
	tb.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	settings := Settings()
	settings["retention.ms"] = "-1" // the clocks of these tests are not the broker's
	if err := c.CreateTopic(Topic, 1, settings); err != nil {
		tb.Fatal(err)
	}
	return c, []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}
}

// visitor returns the visitor of a date under a keeper's salt; 0 without one.
func visitor(tb testing.TB, k *Keeper, at time.Time) event.Visitor {
	tb.Helper()
	id, err := identity.New(make([]byte, identity.SecretLen), k)
	if err != nil {
		tb.Fatal(err)
	}
	m := identity.Moment{At: event.TimeOf(at), Now: event.TimeOf(at)}
	v, _, _ := id.HostVisitor("a.example", "192.0.2.1", "UA", m)
	return v
}

// TestKept: the file of a keeper is read by others, who get the same salts of it.
func TestKept(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), "salts"), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	k, err := Open(t.Context(), Options{Path: path, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	kept, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	of := func(s identity.Salts) event.Visitor {
		id, err := identity.New(make([]byte, identity.SecretLen), s)
		if err != nil {
			t.Fatal(err)
		}
		who, _, ok := id.Visitor("a.example", netip.MustParseAddr("192.0.2.1"), "agent", identity.Moment{At: event.TimeOf(now), Now: event.TimeOf(now)})
		if !ok {
			t.Fatal("there is no salt")
		}
		return who
	}
	if of(kept) != of(k) {
		t.Error("they have other visitors")
	}
	days := kept.Begun(event.TimeOf(now))
	if len(days) < 2 || days[len(days)-1].String() != "2026-03-02" || kept.Salt(days[0]-5) != nil { // it has begun at UTC+14
		t.Errorf("begun have %v", days)
	}
	if none, err := Read(path + ".none"); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
}

// TestWindow: a date has a salt from ten hours before it begins anywhere to an hour after it is last given along anywhere.
func TestWindow(t *testing.T) {
	date, err := identity.ParseDay("2026-03-04")
	if err != nil {
		t.Fatal(err)
	}
	f := func(at string, kept, used bool) {
		t.Helper()
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if now := event.TimeOf(when); (Destroyed(date) > now) != (Window(now).First <= date) {
			t.Errorf("%s: destroyed %s", at, Destroyed(date))
		}
		if now := event.TimeOf(when); Window(now).Has(date) != kept || inUse(now).Has(date) != used {
			t.Errorf("%s: kept %v, used %v", at, Window(now).Has(date), inUse(now).Has(date))
		}
	}
	f("2026-03-02T23:59:59.999Z", false, false)
	f("2026-03-03T00:00:00Z", true, false)
	f("2026-03-04T00:00:00+14:00", true, true)
	f("2026-03-04T12:00:00Z", true, true)
	f("2026-03-05T00:59:59.999-12:00", true, true)
	f("2026-03-05T01:00:00-12:00", true, false)
	f("2026-03-05T02:00:00-12:00", false, false)
}

// TestAlone: without Kafka salts survive a restart, a lost file makes new ones, and what is no file of salts is an error that says
// what to do.
func TestAlone(t *testing.T) {
	now := &clock{t: noon}
	o := Options{Path: filepath.Join(t.TempDir(), "salts"), Now: now.now}
	k := mustOpen(t, o)
	before := visitor(t, k, noon)
	k.Close()
	if again := visitor(t, mustOpen(t, o), noon); before == 0 || again != before {
		t.Errorf("%s is %s after a restart", before, again)
	}
	if info, err := os.Stat(o.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Remove(o.Path); err != nil {
		t.Fatal(err)
	}
	if other := visitor(t, mustOpen(t, o), noon); other == before {
		t.Error("a lost salt is there again")
	}
	for _, bad := range []string{"2026-03-04 12", "2026-13-04 " + strings.Repeat("0", 64), "x"} {
		if err := os.WriteFile(o.Path, []byte(bad+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), o.Path+": line 1") || !strings.Contains(err.Error(), "delete the file") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestJump: a clock that jumps ahead into dates that have no salt gets them at once.
func TestJump(t *testing.T) {
	now := &clock{t: noon}
	k := mustOpen(t, Options{Path: filepath.Join(t.TempDir(), "salts"), Now: now.now})
	mustStep(t, k) // behind the first of the keeper's own
	now.add(240 * time.Hour)
	if k.Err() == nil {
		t.Error("no error without a salt of the day")
	}
	visitor(t, k, now.now()) // asks
	for deadline := time.Now().Add(10 * time.Second); k.Err() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(k.Err())
		}
	}
	if visitor(t, k, now.now()) == 0 || visitor(t, k, noon) != 0 {
		t.Error("there is no salt of the day, or one of the past")
	}
}

// TestAgreement: two collectors that begin at once, and one that comes later, have the same salts, a day later too, when the
// first to ask is another one. One without Kafka goes on with what it has.
func TestAgreement(t *testing.T) {
	_, kafka := mustCluster(t)
	now := &clock{t: noon}
	dir := t.TempDir()
	options := func(name string) Options {
		return Options{Path: filepath.Join(dir, name), Kafka: kafka, Collector: name, Now: now.now}
	}
	var both [2]*Keeper
	var wait sync.WaitGroup
	for i, name := range []string{"c1", "c2"} {
		wait.Go(func() { both[i] = mustOpen(t, options(name)) })
	}
	wait.Wait()
	third := mustOpen(t, options("c3"))
	same := func(what string) {
		t.Helper()
		for _, k := range []*Keeper{both[0], both[1], third} {
			if v := visitor(t, k, now.now()); v == 0 || v != visitor(t, third, now.now()) {
				t.Errorf("%s: %s has %s, c3 %s", what, k.o.Collector, v, visitor(t, third, now.now()))
			}
		}
	}
	same("at the start")
	first := visitor(t, third, now.now())
	now.add(24 * time.Hour)
	same("a day later, with what was made ahead")
	for _, k := range []*Keeper{third, both[1], both[0]} {
		mustStep(t, k)
	}
	now.add(24 * time.Hour)
	same("two days later")
	for _, k := range []*Keeper{both[1], third, both[0]} {
		mustStep(t, k)
	}
	if visitor(t, third, noon) != 0 || visitor(t, third, now.now()) == first {
		t.Error("the salt of the first day is still there")
	}

	// A restart without Kafka.
	third.Close()
	o := options("c3")
	o.Kafka = []kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")}
	third = mustOpen(t, o)
	same("restarted without Kafka")
	o.Path, o.Collector = filepath.Join(dir, "c4"), "c4"
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, o); err == nil || !strings.HasPrefix(err.Error(), "agree on the salts of visitor ids: ") {
		t.Errorf("a new collector without Kafka: %v", err)
	}
}

// TestForeignFile: what is agreed on wins over a file from elsewhere, and a topic that is new takes over what the collectors have.
func TestForeignFile(t *testing.T) {
	_, kafka := mustCluster(t)
	now := &clock{t: noon}
	dir := t.TempDir()
	c1 := mustOpen(t, Options{Path: filepath.Join(dir, "c1"), Kafka: kafka, Collector: "c1", Now: now.now})
	alone := mustOpen(t, Options{Path: filepath.Join(dir, "c2"), Now: now.now})
	alone.Close()
	if visitor(t, alone, noon) == visitor(t, c1, noon) {
		t.Fatal("two that do not know each other have the same salt")
	}
	c2 := mustOpen(t, Options{Path: filepath.Join(dir, "c2"), Kafka: kafka, Collector: "c2", Now: now.now})
	mustStep(t, c2)
	if visitor(t, c2, noon) != visitor(t, c1, noon) {
		t.Error("a file won over the topic")
	}

	_, anew := mustCluster(t)
	before := visitor(t, c1, noon)
	c1.Close()
	c2.Close()
	c1 = mustOpen(t, Options{Path: filepath.Join(dir, "c1"), Kafka: anew, Collector: "c1", Now: now.now})
	c2 = mustOpen(t, Options{Path: filepath.Join(dir, "c2"), Kafka: anew, Collector: "c2", Now: now.now})
	mustStep(t, c1)
	mustStep(t, c2)
	if visitor(t, c1, noon) != before || visitor(t, c2, noon) != before {
		t.Error("with a new topic there are new salts")
	}
}

// TestNewerFile: a file of a newer build is not taken for a damaged one, which may be deleted.
func TestNewerFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "salts")
	f := func(text, want string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readFile(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	f("format 2\nsomething else\n", "data of a newer Millrace (format 2; this one reads 1): use the newer program")
	f("format x\n", "delete the file")
	f("2026-11-30 00\n", "delete the file")
}

// TestTombstones: what is over has a tombstone, which is repeated until the broker has compacted it away; nothing of it is left in
// the topic then, and what is in use is. A collector that comes afterwards agrees.
func TestTombstones(t *testing.T) {
	cluster, kafka := mustCluster(t)
	now := &clock{t: noon}
	dir := t.TempDir()
	k := mustOpen(t, Options{Path: filepath.Join(dir, "c1"), Kafka: kafka, Collector: "c1", Now: now.now})
	mustStep(t, k)
	k.mu.Lock()
	old := k.keys[Window(event.TimeOf(noon)).First]
	k.mu.Unlock()
	now.add(48 * time.Hour)
	mustStep(t, k)
	end := cluster.PartitionInfo(Topic, 0).HighWatermark
	mustStep(t, k)
	if again := cluster.PartitionInfo(Topic, 0).HighWatermark; again < end+3 {
		t.Errorf("a step that finds the values again writes %d records", again-end)
	}
	cluster.Compact()
	end = cluster.PartitionInfo(Topic, 0).HighWatermark
	mustStep(t, k)
	if again := cluster.PartitionInfo(Topic, 0).HighWatermark; again != end+1 {
		t.Errorf("a step that finds no values writes %d records", again-end)
	}
	topic, err := openTopic(&k.o)
	if err != nil {
		t.Fatal(err)
	}
	defer topic.client.Close()
	if err := topic.write(t.Context(), record{key: "read/test"}); err != nil {
		t.Fatal(err)
	}
	for name, p := range topic.proposals {
		if p.key == old || p.day < Window(event.TimeOf(now.now())).First {
			t.Errorf("the topic still has %s", name)
		}
	}
	later := mustOpen(t, Options{Path: filepath.Join(dir, "c2"), Kafka: kafka, Collector: "c2", Now: now.now})
	if v := visitor(t, later, now.now()); v == 0 || v != visitor(t, k, now.now()) {
		t.Errorf("c2 has %s, c1 %s", v, visitor(t, k, now.now()))
	}
}

// TestAhead: a collector's clock that is as far ahead as the broker lets it be destroys no salt that is in use.
func TestAhead(t *testing.T) {
	limit, err := time.ParseDuration(NewerSettings()["message.timestamp.after.max.ms"] + "ms")
	if err != nil {
		t.Fatal(err)
	}
	for h := range event.Time(48) {
		at := event.TimeOf(noon) + h*event.Hour
		if ahead := Window(at + event.Time(limit.Milliseconds())); inUse(at).First < ahead.First {
			t.Errorf("at %s %s is in use, and a clock that is ahead destroys it", at, inUse(at).First)
		}
	}
}

// TestForImport: the salt of imports is the same until two days after the last, and another one then.
func TestForImport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "import-salt")
	get := func(now time.Time) string {
		t.Helper()
		is, err := ForImport(path, now)
		if err != nil || len(is) != 32 {
			t.Fatalf("%x, %v", is, err)
		}
		return string(is)
	}
	first := get(noon)
	if get(noon.Add(47*time.Hour)) != first || get(noon.Add(94*time.Hour)) != first {
		t.Error("another salt, though an import was within two days")
	}
	if err := ExpireImport(path, noon.Add(95*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if get(noon.Add(96*time.Hour)) != first {
		t.Error("the salt went too early")
	}
	if err := ExpireImport(path, noon.Add(145*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the salt is still there: %v", err)
	}
	if get(noon.Add(145*time.Hour)) == first {
		t.Error("the salt is back")
	}
	if err := os.WriteFile(path, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ForImport(path, time.Now()); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a broken file: %v", err)
	}
}

// TestImportsAtOnce: an import that finds an expired salt does not take away the one that another
// is making in its place.
func TestImportsAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "import-salt")
	if _, err := ForImport(path, noon); err != nil {
		t.Fatal(err)
	}
	other, err := lockfile.Open(path + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	now := noon.Add(96 * time.Hour)
	got := make(chan []byte, 1)
	go func() {
		is, err := ForImport(path, now)
		if err != nil {
			t.Error(err)
		}
		got <- is
	}()
	select {
	case <-got:
		t.Fatal("it did not wait for the other import")
	case <-time.After(60 * time.Millisecond):
	}
	want := bytes.Repeat([]byte{7}, 32)
	if err := os.WriteFile(path, fmt.Appendf(nil, "%x\n", want), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chtimes(path, now, now), other.Close()); err != nil {
		t.Fatal(err)
	}
	if is := <-got; !bytes.Equal(is, want) {
		t.Errorf("%x, the other import has %x", is, want)
	}
}

func BenchmarkSalt(b *testing.B) {
	k := mustOpen(b, Options{Path: filepath.Join(b.TempDir(), "salts"), Now: (&clock{t: noon}).now})
	day := dayOf(event.TimeOf(noon))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if k.Salt(day) == nil {
				b.Fatal("no salt")
			}
		}
	})
}
