package report

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Report is what came of a run. The zero value is one without a figure. Add and Fail may be called by
// several goroutines; the fields are to be read when the run is over.
type Report struct {
	mu sync.Mutex // guards Figures and Wrong while the run is under way
	// Figures are in the order in which they came up.
	Figures []Figure
	// Wrong has a line for each value that is not what it has to be, and for each promise that was not
	// kept.
	Wrong []string
	// Wall is how long it took.
	Wall time.Duration
}

// Figure is one result: what it is of, and the figure with its unit.
type Figure struct{ Name, Text string }

// Add adds a figure. The harm that was done is one, so that a run which did none is seen.
func (r *Report) Add(name, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Figures = append(r.Figures, Figure{name, fmt.Sprintf(format, args...)})
}

// Fail adds a line to Wrong.
func (r *Report) Fail(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
}

// most is how many wrong lines are printed.
const most = 20

// String prints the report, one figure to a line.
func (r *Report) String() string {
	var b strings.Builder
	for _, f := range r.Figures {
		fmt.Fprintf(&b, "%-14s %s\n", f.Name, f.Text)
	}
	fmt.Fprintf(&b, "%-14s %d\n", "wrong", len(r.Wrong))
	for _, w := range r.Wrong[:min(len(r.Wrong), most)] {
		fmt.Fprintf(&b, "  %s\n", w)
	}
	if n := len(r.Wrong) - most; n > 0 {
		fmt.Fprintf(&b, "  and %d more\n", n)
	}
	fmt.Fprintf(&b, "%-14s %s\n", "took", r.Wall.Round(100*time.Millisecond))
	return b.String()
}
