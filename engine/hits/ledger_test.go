package hits_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"millrace/engine"
	"millrace/engine/event"
)

// chain keeps the checkpoints of a log as a store does: only those that are needed.
type chain struct {
	heads []engine.Head
	blobs [][]byte
	all   [][]byte // also those that are gone
}

func (c *chain) add(tb testing.TB, b []byte) {
	tb.Helper()
	h, err := engine.ReadHead(b)
	if err != nil {
		tb.Fatal(err)
	}
	c.all = append(c.all, b)
	c.heads, c.blobs = append(c.heads, h), append(c.blobs, b)
	need := engine.Needed(c.heads)
	i := 0
	for j := range need {
		if need[j] {
			c.heads[i], c.blobs[i] = c.heads[j], c.blobs[j]
			i++
		}
	}
	c.heads, c.blobs = c.heads[:i], c.blobs[:i]
}

// runInSegments makes the hits of a log that is cut into segments, each with a checkpoint. With restart it now and then begins
// again in the middle of a segment, from the last checkpoint, as an archiver does after a crash or another one after it.
func (tr traffic) runInSegments(t *testing.T, log [][]byte, cuts []int, restart *rand.Rand) (*kept, *chain) {
	t.Helper()
	m, c := tr.newLedger(), &chain{}
	all := newKept()
	from := 0
	for _, to := range cuts {
		if restart != nil && restart.IntN(3) == 0 {
			crashed := newKept()
			for i := from; i < from+restart.IntN(to-from+1); i++ {
				_ = m.Step(int64(i), log[i], crashed)
			}
			m = tr.newLedger()
			if err := m.Load(c.blobs); err != nil {
				t.Fatal(err)
			}
		}
		for i := from; i < to; i++ {
			if err := m.Step(int64(i), log[i], all); errors.Is(err, engine.ErrOrder) {
				t.Fatal(err)
			}
		}
		c.add(t, m.Checkpoint(nil))
		from = to
	}
	return all, c
}

// TestHitsAreAFunctionOfTheLog is I2: hits, joins and visits are the same wherever the log is cut into segments, and where a
// Ledger is made anew of the checkpoints that are needed; and then the checkpoints are the same too.
func TestHitsAreAFunctionOfTheLog(t *testing.T) {
	f := func(tr traffic, seed uint64) {
		t.Helper()
		log := tr.log(seed)
		_, want := tr.run(t, log)
		rng := rand.New(rand.NewPCG(seed, 2))
		var cuts []int
		for at := 0; at < len(log); {
			at = min(at+1+rng.IntN(12), len(log))
			cuts = append(cuts, at)
		}
		whole, checkpoints := tr.runInSegments(t, log, cuts, nil)
		again, others := tr.runInSegments(t, log, cuts, rng)
		for how, got := range map[string]*kept{"in segments": whole, "with restarts": again} {
			for i := range min(len(got.text), len(want.text)) {
				if got.text[i] != want.text[i] {
					t.Fatalf("%+v, seed %d, %s: row %d is\n%s\nwant\n%s", tr, seed, how, i, got.text[i], want.text[i])
				}
			}
			if len(got.text) != len(want.text) {
				t.Fatalf("%+v, seed %d, %s: %d rows, want %d", tr, seed, how, len(got.text), len(want.text))
			}
		}
		if len(checkpoints.all) != len(others.all) {
			t.Fatalf("%d and %d checkpoints", len(checkpoints.all), len(others.all))
		}
		for i := range checkpoints.all {
			if !bytes.Equal(checkpoints.all[i], others.all[i]) {
				t.Fatalf("%+v, seed %d: checkpoint %d is\n%x\nafter a restart\n%x", tr, seed, i, checkpoints.all[i], others.all[i])
			}
		}
		if len(checkpoints.blobs) > len(cuts)/2 {
			t.Errorf("%d of %d checkpoints are still needed when all visits have ended", len(checkpoints.blobs), len(cuts))
		}
	}
	for seed := range *seeds {
		f(mixed, seed)
		f(crowded, seed)
		f(brief, seed)
	}
}

// TestStepRefusesWhatWasRead: a record that comes again would count as another.
func TestStepRefusesWhatWasRead(t *testing.T) {
	m, k := mixed.newLedger(), newKept()
	value := event.AppendEnvelope(nil, "c1", base, nil)
	if err := m.Step(7, value, k); err != nil {
		t.Fatal(err)
	}
	if err := m.Step(7, value, k); !errors.Is(err, engine.ErrOrder) || err.Error() != "millrace.events, partition 3: record out of order: offset 7 after 7" {
		t.Errorf("the same record again: %v", err)
	}
	if err := m.Step(9, nil, k); !errors.Is(err, event.ErrNil) {
		t.Errorf("a record without a value: %v", err)
	}
	if m.Last() != 9 || m.Watermark() != base || m.Counters().Records != 2 {
		t.Errorf("last %d, watermark %s, %+v", m.Last(), m.Watermark(), m.Counters())
	}
}

// TestLoadRefuses: what is no checkpoint is an error, and not a state.
func TestLoadRefuses(t *testing.T) {
	m, k := mixed.newLedger(), newKept()
	for i, value := range mixed.log(1)[:50] {
		_ = m.Step(int64(i), value, k)
	}
	good := m.Checkpoint(nil)
	for n := range good {
		if err := mixed.newLedger().Load([][]byte{good[:n]}); !errors.Is(err, engine.ErrCheckpoint) {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(good), err)
		}
	}
	f := func(want string, checkpoints ...[]byte) {
		t.Helper()
		if err := mixed.newLedger().Load(checkpoints); err == nil || err.Error() != "millrace.events, partition 3: "+want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	next := m.Checkpoint(nil)
	_ = m.Step(50, event.AppendEnvelope(nil, "c1", base, nil), k)
	last := m.Checkpoint(nil)
	f("malformed checkpoint of a log's reading: it ends at record 49, and one before it at 50", good, last, next)
	f("malformed checkpoint of a log's reading: data of a newer Millrace (format 2; this one reads 1): use the newer program", append([]byte{2}, good[1:]...))
	f("malformed checkpoint of a log's reading: unknown version 0", append([]byte{0}, good[1:]...))
	f("malformed checkpoint of a log's reading: bytes left over", append(bytes.Clone(good), 0))
	if err := mixed.newLedger().Load([][]byte{good, next, last}); err != nil {
		t.Error(err)
	}
}

// loadAny loads bytes that may be a checkpoint: they are one or an error, and what was loaded can be gone on from.
func loadAny(t *testing.T, log [][]byte, b []byte) (loaded bool) {
	t.Helper()
	l := mixed.newLedger()
	if err := l.Load([][]byte{b}); err != nil {
		if !errors.Is(err, engine.ErrCheckpoint) {
			t.Fatalf("%x: error without a reason: %v", b, err)
		}
		return false
	}
	last := l.Last()
	if last > 1<<40 {
		return true
	}
	for i := range 10 {
		_ = l.Step(last+int64(i)+1, log[100+i], newKept())
	}
	if err := mixed.newLedger().Load([][]byte{b, l.Checkpoint(nil)}); err != nil {
		t.Fatalf("%x: its own checkpoint is refused: %v", b, err)
	}
	return true
}

// checkpoints returns some of a log.
func checkpoints(log [][]byte) (list [][]byte) {
	l, k := mixed.newLedger(), newKept()
	for i, value := range log[:90] {
		_ = l.Step(int64(i), value, k)
		if i%30 == 29 {
			list = append(list, l.Checkpoint(nil))
		}
	}
	return list
}

// TestLoadDamaged: a checkpoint of which bytes are others.
func TestLoadDamaged(t *testing.T) {
	log := mixed.log(1)
	good := checkpoints(log)
	rng := rand.New(rand.NewPCG(5, 6))
	loaded, refused := 0, 0
	for range 400 {
		b := bytes.Clone(good[rng.IntN(len(good))])
		for range 1 + rng.IntN(2) {
			b[rng.IntN(len(b))] ^= byte(1 << rng.IntN(8))
		}
		if loadAny(t, log, b) {
			loaded++
		} else {
			refused++
		}
	}
	if loaded == 0 || refused == 0 {
		t.Errorf("%d were loaded, and %d refused", loaded, refused)
	}
}

func FuzzLoad(f *testing.F) {
	log := mixed.log(1)
	for _, b := range checkpoints(log) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { loadAny(t, log, b) })
}
