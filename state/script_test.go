package state

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/engine/delta"
	"millrace/engine/event"
	"millrace/engine/window"
)

// TestScripts runs testdata, with -rewrite accepts what they print now. The commands are
//
//	open [life=1h]                   a new store on a new disk
//	delta offset=n prev=n [at=m:ss]  makes a delta and applies it; its watermark is at, else n seconds.
//	                                 Lines of the input: add SITE m:ss PAGE..., fire SITE m:ss [final],
//	                                 horizon m:ss
//	foreign offset=n prev=n ...      the same, made by another owner: it is not applied
//	apply offset=n                   a delta that was made before comes again from the log
//	read position=n offset=n         such a delta is read in the changelog
//	acked offset=n position=n        the changelog has it
//	committed next=n                 the group has committed
//	outbox [offset=n]                what waits for the changelog, each checked to be what was applied
//	fired offset=n                   what a record fired
//	windows                          all windows: events, and their status
//	sync, restart                    all is on the disk; the store is closed and opened
//	crash                            the power goes: what was not synced is gone
//
// All that change the store print its last offset, the next position of the changelog to be read
// and the length of the outbox.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &steps{}
		datadriven.RunTest(t, path, s.run)
	})
}

// steps runs one script.
type steps struct {
	opts  Options
	disk  *vfs.MemFS
	store *Store
	made  map[int64][]byte // deltas by offset
}

func (s *steps) run(t *testing.T, d *datadriven.TestData) string {
	var err error
	switch d.Cmd {
	case "open":
		s.start(t, d)
	case "delta":
		err = s.store.Apply(s.make(t, d))
	case "foreign":
		s.make(t, d)
		return ""
	case "apply":
		err = s.store.Apply(s.delta(t, d))
	case "read":
		err = s.store.Recover(number(t, d, "position"), s.delta(t, d))
	case "acked":
		s.store.Acked(number(t, d, "offset"), number(t, d, "position"))
	case "committed":
		s.store.Committed(number(t, d, "next"))
		return ""
	case "sync":
		err = s.store.Sync()
	case "restart":
		mustClose(t, s.store)
		s.store = mustOpen(t, s.opts)
	case "crash":
		s.crash(t)
	case "outbox":
		return s.outbox(t, d)
	case "fired":
		return s.fired(t, number(t, d, "offset"))
	case "windows":
		return s.windows(t)
	default:
		t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	}
	out := fmt.Sprintf("last %d, position %d, %d in the outbox\n", s.store.Last(), s.store.Position(), s.store.OutboxLen())
	if err != nil {
		return fmt.Sprintf("error: %v\n%s", err, out)
	}
	if want := fmt.Sprint(s.store.Last()); s.store.Last() >= 0 && string(s.store.Meta()) != want {
		t.Errorf("%s: the meta record is %q, want %q", d.Pos, s.store.Meta(), want)
	}
	return out
}

func (s *steps) start(t *testing.T, d *datadriven.TestData) {
	if s.store != nil {
		mustClose(t, s.store)
	}
	s.disk, s.made = vfs.NewCrashableMem(), map[int64][]byte{}
	s.opts = Options{Dir: "state", FS: s.disk, Limit: testLimit, Life: event.Hour}
	var life string
	if d.MaybeScanArgs(t, "life", &life) {
		v, err := time.ParseDuration(life)
		if err != nil {
			t.Fatal(err)
		}
		s.opts.Life = event.Time(v.Milliseconds())
	}
	s.store = mustOpen(t, s.opts)
}

// crash opens what the disk would have kept. The store that was open ends without it.
func (s *steps) crash(t *testing.T) {
	kept := s.disk.CrashClone(vfs.CrashCloneCfg{})
	mustClose(t, s.store)
	s.disk, s.opts.FS = kept, kept
	s.store = mustOpen(t, s.opts)
}

func number(t *testing.T, d *datadriven.TestData, key string) (n int64) {
	t.Helper()
	d.ScanArgs(t, key, &n)
	return n
}

// delta returns one that was made.
func (s *steps) delta(t *testing.T, d *datadriven.TestData) []byte {
	b := s.made[number(t, d, "offset")]
	if b == nil {
		t.Fatalf("%s: no such delta was made", d.Pos)
	}
	return b
}

func (s *steps) make(t *testing.T, d *datadriven.TestData) []byte {
	var edits []func(*delta.Delta)
	var at string
	if d.MaybeScanArgs(t, "at", &at) {
		edits = append(edits, watermark(instant(t, at)))
	}
	for line := range strings.Lines(d.Input) {
		f := strings.Fields(line)
		switch {
		case f[0] == "add" && len(f) > 3:
			edits = append(edits, add(f[1], instant(t, f[2]), f[3:]...))
		case f[0] == "fire" && len(f) > 2:
			edits = append(edits, fire(f[1], instant(t, f[2]), len(f) > 3 && f[3] == "final"))
		case f[0] == "horizon" && len(f) == 2:
			edits = append(edits, horizon(instant(t, f[1])))
		default:
			t.Fatalf("%s: %q", d.Pos, line)
		}
	}
	offset := number(t, d, "offset")
	s.made[offset] = mk(number(t, d, "prev"), offset, edits...)
	return s.made[offset]
}

// instant reads minutes and seconds.
func instant(t *testing.T, text string) event.Time {
	t.Helper()
	m, sec, _ := strings.Cut(text, ":")
	minutes, err := strconv.Atoi(m)
	if err != nil {
		t.Fatal(err)
	}
	seconds, err := strconv.Atoi(sec)
	if err != nil {
		t.Fatal(err)
	}
	return event.Time(minutes)*event.Minute + event.Time(seconds)*event.Second
}

func shown(at event.Time) string {
	return fmt.Sprintf("%d:%02d", at/event.Minute, at%event.Minute/event.Second)
}

func (s *steps) outbox(t *testing.T, d *datadriven.TestData) string {
	low, high := int64(0), int64(math.MaxInt64)
	if d.MaybeScanArgs(t, "offset", &low) {
		high = low
	}
	var out strings.Builder
	for offset, want := range s.made {
		got, err := s.store.Outbox(offset)
		if err != nil || got != nil && !bytes.Equal(got, want) {
			t.Fatalf("%s: outbox of %d: %x, %v; want %x", d.Pos, offset, got, err, want)
		}
	}
	for offset := range int64(1000) {
		if s.made[offset] == nil || offset < low || offset > high {
			continue
		}
		if b, _ := s.store.Outbox(offset); b != nil {
			fmt.Fprintf(&out, "%d\n", offset)
		}
	}
	return out.String()
}

func (s *steps) fired(t *testing.T, offset int64) string {
	list, progress, err := s.store.Fired(offset)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, f := range list {
		how := "early"
		if f.Final {
			how = "final"
		}
		fmt.Fprintf(&out, "%s %s %s\n", f.Site, shown(f.Start), how)
	}
	if progress != 0 {
		fmt.Fprintf(&out, "progress %s\n", shown(event.Time(progress)))
	}
	return out.String()
}

func (s *steps) windows(t *testing.T) string {
	type found struct {
		site   string
		start  event.Time
		status window.Status
	}
	var all []found
	err := s.store.Windows(func(_ window.Kind, site string, start event.Time, st window.Status) error {
		all = append(all, found{strings.Clone(site), start, st})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, w := range all {
		fmt.Fprintf(&out, "%s %s events=%d", w.site, shown(w.start), events(t, s.store, w.site, w.start))
		if w.status.FiredAt != window.NeverFired {
			fmt.Fprintf(&out, " fired by %d", w.status.FiredAt)
		}
		if w.status.Final {
			out.WriteString(" final")
		}
		if w.status.Dirty {
			out.WriteString(" changed")
		}
		out.WriteByte('\n')
	}
	return out.String()
}
