package progress

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"millrace/internal/testlog"
)

func TestLine(t *testing.T) {
	var out testlog.Buffer
	b := start(&out, "replay", func() int { return 80 })
	b.Set(30, 100, 3000)
	deadline := time.Now().Add(5 * time.Second)
	for !strings.Contains(out.String(), "30%") && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	b.Finish()
	b.Finish()
	for _, want := range []string{"replay", "30%", "rows/s", "left"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q does not hold %q", out.String(), want)
		}
	}
}

// TestLineText has each line as the terminal shows it, at each width.
func TestLineText(t *testing.T) {
	f := func(columns int, s state, want string) {
		t.Helper()
		if got := line(columns, "import", s); got != want {
			t.Errorf("%d columns, %+v:\n%q, want\n%q", columns, s, got, want)
		}
	}
	third := state{done: 30, total: 90, rows: 3000, took: time.Second}
	f(60, state{}, `import [                                             ] ?    `)
	f(60, third, `import [========>                 ]  33%  3k rows/s  2s left`)
	f(60, state{90, 90, 1, time.Second}, `import [==========================>] 100%  1 rows/s  0s left`)
	f(60, state{95, 90, 1, time.Second}, `import [=================================>] 106%  1 rows/s  `)
	f(35, third, `import [>]  33%  3k rows/s  2s left`)
	f(34, third, `import []  33%  3k rows/s  2s left`)
	f(33, third, `import [  33%  3k rows/s  2s left`)
	f(10, third, `import   3`)
	f(0, third, ``)
}

// TestWiped: the last thing that a line leaves is a blank one, and nothing is drawn after it.
func TestWiped(t *testing.T) {
	var out testlog.Buffer
	b := start(&out, "x", func() int { return 4 })
	b.Finish()
	b.Set(1, 2, 3)
	if got := out.String(); got != "\r    \r" {
		t.Errorf("%q", got)
	}
}

func TestQuietWithoutTerminal(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out bytes.Buffer
	for _, b := range []*Bar{Start(f, "x"), Start(&out, "x")} {
		b.Set(1, 2, 3)
		b.Finish()
	}
	if info, err := f.Stat(); err != nil || info.Size() > 0 || out.Len() > 0 {
		t.Errorf("%v bytes in a file, %d in a buffer, %v", info.Size(), out.Len(), err)
	}
}

func TestRate(t *testing.T) {
	f := func(rows int64, took time.Duration, want string) {
		t.Helper()
		if got := rate(rows, took); got != want {
			t.Errorf("%d rows in %v: %q, want %q", rows, took, got, want)
		}
	}
	f(0, 0, "0 rows/s")
	f(500, time.Second, "500 rows/s")
	f(90_000, 2*time.Second, "45k rows/s")
	f(9_000_000, 2*time.Second, "4.5M rows/s")
}

func TestLeft(t *testing.T) {
	f := func(done, total int64, took time.Duration, want string) {
		t.Helper()
		if got := left(done, total, took); got != want {
			t.Errorf("%d of %d in %v: %q, want %q", done, total, took, got, want)
		}
	}
	f(0, 100, time.Second, "")
	f(5, 0, time.Second, "")
	f(25, 100, 10*time.Second, "30s left")
	f(100, 100, time.Minute, "0s left")
	f(1, 1000, 10*time.Second, "2h46m30s left")
}

// TestPhases: a part that comes again after another is another line; without a terminal nothing is written.
func TestPhases(t *testing.T) {
	var out bytes.Buffer
	p := Phases{W: &out, Prefix: "job: "}
	p.Finish()
	p.Set("first", 1, 2)
	first := p.bar
	if p.Set("first", 2, 2); p.bar != first {
		t.Error("a part has two lines")
	}
	p.Set("second", 0, 1)
	second := p.bar
	if second == first {
		t.Error("two parts have one line")
	}
	if p.Set("first", 2, 2); p.bar == second {
		t.Error("two parts have one line")
	}
	p.Finish()
	p.Finish()
	if p.bar != nil || out.Len() > 0 {
		t.Errorf("%d bytes written", out.Len())
	}
}
