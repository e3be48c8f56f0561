package spool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"millrace/engine/event"
	"millrace/engine/wire"
)

func mustOpen(tb testing.TB, fs vfs.FS, change func(*Options)) *Log {
	tb.Helper()
	o := Options{Dir: "spool", MaxBytes: 1 << 20, FS: fs}
	if change != nil {
		change(&o)
	}
	l, err := Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	return l
}

// entry is the i-th of a test: partition i % 3, received at 1000 + i.
func entry(i int) Entry {
	return Entry{Partition: int32(i % 3), After: None, From: event.Time(1000 + i), N: 1, Events: fmt.Appendf(nil, `{"id":"%d"}`, i)}
}

func mustAppend(tb testing.TB, l *Log, from, to int) {
	tb.Helper()
	for i := from; i < to; i++ {
		if err := l.Append([]Entry{entry(i)}); err != nil {
			tb.Fatal(err)
		}
	}
}

// peeked returns what Peek has, as "id@partition", and "?offset" behind those in doubt.
func peeked(tb testing.TB, l *Log, n int) (string, []Entry) {
	tb.Helper()
	list, err := l.Peek(n, 1<<20)
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for _, e := range list {
		s := fmt.Sprintf("%s@%d", strings.Split(string(e.Events), `"`)[3], e.Partition)
		if e.After != None {
			s += fmt.Sprintf("?%d", e.After)
		}
		out = append(out, s)
	}
	return strings.Join(out, " "), list
}

func mustPeek(tb testing.TB, l *Log, n int, want string) []Entry {
	tb.Helper()
	got, list := peeked(tb, l, n)
	if got != want {
		tb.Fatalf("peeked %q, want %q", got, want)
	}
	return list
}

func segments(tb testing.TB, fs vfs.FS) (names []string) {
	tb.Helper()
	list, err := fs.List("spool")
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range list {
		if _, ok := parseName(name); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func TestDrain(t *testing.T) {
	fs := vfs.NewMem()
	l := mustOpen(t, fs, func(o *Options) { o.SegmentBytes = 150 }) // two or three entries each
	mustAppend(t, l, 0, 7)
	if s := l.Stats(); s.Entries != 7 || s.Events != 7 || s.Oldest != 1000 {
		t.Errorf("%+v", s)
	}
	list := mustPeek(t, l, 4, "0@0 1@1 2@2 3@0")
	if err := l.Begin(list, map[int32]int64{0: 10, 1: 11, 2: 12}); err != nil {
		t.Fatal(err)
	}
	mustPeek(t, l, 5, "0@0?10 1@1?11 2@2?12 3@0?10 4@1")
	l.Close()

	l = mustOpen(t, fs, nil)
	list = mustPeek(t, l, 5, "0@0?10 1@1?11 2@2?12 3@0?10 4@1")
	// A later attempt knows later offsets; the first one's count.
	if err := l.Begin(list[:2], map[int32]int64{0: 20, 1: 21}); err != nil {
		t.Fatal(err)
	}
	if err := l.Done(list[:2]); err != nil {
		t.Fatal(err)
	}
	list = mustPeek(t, l, 9, "2@2?12 3@0?10 4@1 5@2 6@0")
	if err := l.Begin(list, map[int32]int64{0: 30, 1: 31, 2: 32}); err != nil {
		t.Fatal(err)
	}
	if err := l.Done(list); err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); s != (Stats{}) || len(segments(t, fs)) != 0 {
		t.Errorf("emptied: %+v, segments %q", s, segments(t, fs))
	}
	mustAppend(t, l, 7, 9)
	mustPeek(t, l, 9, "7@1 8@2")
	l.Close()
	l = mustOpen(t, fs, nil)
	mustPeek(t, l, 9, "7@1 8@2")
	held := ""
	l.Held(func(p int32, events int, from event.Time) { held += fmt.Sprintf("%d: %d from %d;", p, events, from) })
	if held != "1: 1 from 1007;2: 1 from 1008;" && held != "2: 1 from 1008;1: 1 from 1007;" {
		t.Error(held)
	}
}

// TestPeekBounds: an entry that is larger than the bound is returned alone.
func TestPeekBounds(t *testing.T) {
	l := mustOpen(t, vfs.NewMem(), nil)
	big := entry(1)
	big.Events = fmt.Appendf(nil, `{"id":"1","x":"%s"}`, strings.Repeat("x", 10_000))
	if err := l.Append([]Entry{entry(0), big, entry(2)}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"0@0", "1@1", "2@2"} {
		list, err := l.Peek(10, 70)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d entries, %v", len(list), err)
		}
		mustPeek(t, l, 1, want)
		if err := errors.Join(l.Begin(list, nil), l.Done(list)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFull(t *testing.T) {
	fs := vfs.NewMem()
	l := mustOpen(t, fs, func(o *Options) { o.MaxBytes = LeastBytes })
	e := entry(0)
	e.Events = fmt.Appendf(nil, `{"id":"0","x":"%s"}`, strings.Repeat("x", 10_000))
	n := 0
	for ; ; n++ {
		if err := l.Append([]Entry{e}); errors.Is(err, ErrFull) {
			break
		} else if err != nil || n > 10 {
			t.Fatal(n, err)
		}
	}
	if n != 6 {
		t.Errorf("%d entries of 10 kB are in 64 KiB", n)
	}
	list, err := l.Peek(1, 1)
	if err = errors.Join(err, l.Begin(list, nil), l.Done(list)); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, 1, 2) // segments are an eighth, so the first is gone
}

// TestGroups: requests that come while a sync goes on share the next.
func TestGroups(t *testing.T) {
	syncs, gate := 0, make(chan struct{})
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData && strings.HasSuffix(op.Path, suffix) {
			if syncs++; syncs == 1 {
				<-gate
			}
		}
		return nil
	}))
	l := mustOpen(t, fs, nil)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if err := l.Append([]Entry{entry(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	for {
		l.mu.Lock()
		waiting := l.writing > 0 && int(l.next) == 100
		l.mu.Unlock()
		if waiting {
			break
		}
	}
	close(gate)
	wg.Wait()
	if syncs > 2 {
		t.Errorf("%d syncs of 100 entries", syncs)
	}
}

// TestFailedWrites: what fails is answered so, what comes behind it is kept, and nothing is there
// twice or in another order, in this process and in the next.
func TestFailedWrites(t *testing.T) {
	f := func(name string, kinds ...errorfs.OpKind) {
		t.Helper()
		mem := vfs.NewMem()
		rng, on := rand.New(rand.NewPCG(1, 2)), false
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			for _, k := range kinds {
				if on && op.Kind == k && rng.IntN(3) == 0 {
					return syscall.ENOSPC
				}
			}
			return nil
		}))
		l := mustOpen(t, fs, func(o *Options) { o.SegmentBytes = 400 })
		on = true
		want, failed := []string{}, 0
		for i := range 200 {
			if err := l.Append([]Entry{entry(i)}); err == nil {
				want = append(want, fmt.Sprintf("%d@%d", i, i%3))
			} else if failed++; !errors.Is(err, syscall.ENOSPC) || l.Stats().Err == nil {
				t.Fatalf("%s: %v, stats %+v", name, err, l.Stats())
			}
		}
		if failed == 0 {
			t.Fatalf("%s: nothing failed", name)
		}
		mustPeek(t, l, 300, strings.Join(want, " "))
		l.Close()
		// The last that was refused may be there if nothing came behind it.
		got, _ := peeked(t, mustOpen(t, mem, nil), 300)
		if more, ok := strings.CutPrefix(got, strings.Join(want, " ")); !ok || strings.Count(more, " ") > 1 {
			t.Errorf("%s: opened anew it has\n%s\nwant\n%s", name, got, strings.Join(want, " "))
		}
	}
	f("write", errorfs.OpFileWrite)
	f("sync", errorfs.OpFileSyncData, errorfs.OpFileSync)
	f("create", errorfs.OpCreate)
	f("all", errorfs.OpFileWrite, errorfs.OpFileSyncData, errorfs.OpFileSync, errorfs.OpCreate, errorfs.OpRemove, errorfs.OpFileClose)
}

// TestCrash: the machine ends at any moment, and what was not synced is on the disk or not. What
// was appended and is not done comes again, once.
func TestCrash(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 60 {
		fs := vfs.NewCrashableMem()
		next, done := 0, 0
		for life := range 4 {
			l, err := Open(Options{Dir: "spool", MaxBytes: 1 << 20, SegmentBytes: 300, FS: fs})
			if err != nil {
				t.Fatalf("round %d, life %d: %v", round, life, err)
			}
			list, err := l.Peek(MostDrained, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			first := next
			if len(list) > 0 {
				fmt.Sscanf(string(list[0].Events), `{"id":"%d"}`, &first)
			}
			for i, e := range list {
				if string(e.Events) != string(entry(first+i).Events) || first+i < done && e.After == None {
					t.Fatalf("round %d, life %d: entry %d is %s after %d, %d are done", round, life, i, e.Events, e.After, done)
				}
			}
			if first > done || first+len(list) < next { // what was done last may come again
				t.Fatalf("round %d, life %d: entries %d to %d, done %d, appended %d", round, life, first, first+len(list), done, next)
			}
			done, next = first, first+len(list)
			for range rng.IntN(20) {
				if rng.IntN(3) > 0 {
					mustAppend(t, l, next, next+1)
					next++
					continue
				}
				list, err := l.Peek(1+rng.IntN(4), 1<<20)
				if err = errors.Join(err, l.Begin(list, map[int32]int64{0: 1, 1: 1, 2: 1})); err != nil {
					t.Fatal(err)
				}
				if rng.IntN(4) > 0 {
					if err := l.Done(list); err != nil {
						t.Fatal(err)
					}
					done += len(list)
				}
			}
			old := fs
			fs = old.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			l.Close()
		}
	}
}

// change rewrites a file.
func change(tb testing.TB, fs vfs.FS, name string, edit func([]byte) []byte) {
	tb.Helper()
	path := "spool/" + name
	b, err := readFile(fs, path)
	if err != nil {
		tb.Fatal(err)
	}
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := f.Write(edit(b)); err != nil {
		tb.Fatal(err)
	}
	f.Close()
}

func TestDamage(t *testing.T) {
	made := func(t *testing.T) vfs.FS {
		fs := vfs.NewMem()
		l := mustOpen(t, fs, func(o *Options) { o.SegmentBytes = 150 })
		mustAppend(t, l, 0, 8)
		l.Close()
		return fs
	}
	names := segments(t, made(t))
	if len(names) < 3 {
		t.Fatal(names)
	}
	last := names[len(names)-1]
	f := func(what, name string, edit func([]byte) []byte, want string) {
		t.Helper()
		fs := made(t)
		if edit == nil {
			if err := fs.Remove("spool/" + name); err != nil {
				t.Fatal(err)
			}
		} else {
			change(t, fs, name, edit)
		}
		l, err := Open(Options{Dir: "spool", MaxBytes: 1 << 20, FS: fs})
		if strings.HasPrefix(want, "has ") {
			if err != nil {
				t.Errorf("%s: %v", what, err)
				return
			}
			defer l.Close()
			if got, _ := peeked(t, l, 100); got != want[4:] {
				t.Errorf("%s: it has %q, want %q", what, got, want[4:])
			}
			return
		}
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	all := "has 0@0 1@1 2@2 3@0 4@1 5@2 6@0 7@1"
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b[(len(b)+at)%len(b)] ^= 1; return b }
	}
	f("the end of the last segment is cut", last, func(b []byte) []byte { return b[:len(b)-1] }, all[:len(all)-4])
	f("the end of the last segment is wrong", last, flip(-1), all[:len(all)-4])
	f("there is something behind the last segment", last, func(b []byte) []byte { return append(b, "garbage of a write that failed"...) }, all)
	f("the last segment is empty", last, func([]byte) []byte { return nil }, strings.TrimSuffix(strings.TrimSuffix(all, " 7@1"), " 6@0"))
	f("the middle of a segment is wrong", names[1], flip(40), names[1])
	f("a segment is cut", names[0], func(b []byte) []byte { return b[:len(b)-1] }, names[0])
	f("a header is wrong", names[1], flip(0), names[1])
	f("a segment is missing in the middle", names[1], nil, names[0])
	f("the first segment is missing", names[0], nil, "frame 0 is missing")
	f("progress is wrong", "progress", func(b []byte) []byte { b[100], b[5000] = 1, 1; return b }, "progress")
	f("progress is missing", "progress", nil, "has 0@0?-1 1@1?-1 2@2?-1 3@0?-1 4@1?-1 5@2?-1 6@0?-1 7@1?-1")
}

// A segment of a newer build is refused, also where it is the only one and none of its frames can be
// read: what a crash has cut off would be removed.
func TestNewerSegment(t *testing.T) {
	fs := vfs.NewMem()
	l := mustOpen(t, fs, nil)
	mustAppend(t, l, 0, 3)
	l.Close()
	name := segments(t, fs)[0]
	change(t, fs, name, func(b []byte) []byte {
		b[len(header)-1] = version + 1
		for i := len(header); i < len(b); i++ {
			b[i] ^= 0x55
		}
		return b
	})
	_, err := Open(Options{Dir: "spool", MaxBytes: 1 << 20, FS: fs})
	if !errors.Is(err, wire.ErrNewer) || !strings.Contains(err.Error(), name) {
		t.Errorf("%v", err)
	}
	if left := segments(t, fs); len(left) != 1 {
		t.Errorf("there is %v left", left)
	}
}

func FuzzReadFrame(f *testing.F) {
	e := entry(1)
	f.Add(appendFrame(nil, 7, 5, &e))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, size, err := readFrame(b)
		if err != nil {
			return
		}
		if size < 1 || size > int64(len(b)) {
			t.Fatalf("size %d of %d", size, len(b))
		}
		again, _, err := readFrame(appendFrame(nil, got.number, got.group, &got.entry))
		if err != nil || again.number != got.number || again.group != got.group || string(again.entry.Events) != string(got.entry.Events) {
			t.Fatalf("%+v, %v; was %+v", again, err, got)
		}
	})
}

// TestOldest: what is drained is not the oldest any more, though its segment is there still.
func TestOldest(t *testing.T) {
	fs := vfs.NewMem()
	l := mustOpen(t, fs, nil)
	const n = 3 * mostAges
	mustAppend(t, l, 0, n)
	f := func(done int) {
		t.Helper()
		list, err := l.Peek(n, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		first := list[0].From
		if got := l.Stats().Oldest; got > first || got <= first-mostAges {
			t.Errorf("the oldest is of %d, the first is of %d", got, first)
		}
		if err := l.Begin(list[:done], map[int32]int64{0: 1, 1: 1, 2: 1}); err != nil {
			t.Fatal(err)
		}
		if err := l.Done(list[:done]); err != nil {
			t.Fatal(err)
		}
	}
	f(1)
	f(mostAges)
	f(mostAges - 1)
	l.Close()
	l = mustOpen(t, fs, nil)
	f(l.Stats().Entries) // what was done last is in doubt again
	if s := l.Stats(); s.Oldest != 0 || s.Entries != 0 {
		t.Errorf("%+v", s)
	}
}
