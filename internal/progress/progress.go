package progress

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/cheggaaa/pb/v3"
	"github.com/mattn/go-isatty"
)

// line is the form of the line, in the language of package pb.
const line = `{{string . "what"}} {{bar . "[" "=" ">" " " "]"}} {{percent . "%3.0f%%" "?"}}  {{string . "rows"}}  {{string . "left"}}`

// Bar is a line of progress. Make one with Start.
type Bar struct {
	bar   *pb.ProgressBar // nil: nobody is watching
	began time.Time
}

// Start begins a line on w, if w is a terminal. Finish has to be called.
func Start(w io.Writer, what string) *Bar {
	f, ok := w.(*os.File)
	if !ok || !isatty.IsTerminal(f.Fd()) {
		return &Bar{}
	}
	return start(w, what)
}

func start(w io.Writer, what string) *Bar {
	bar := pb.ProgressBarTemplate(line).New(0)
	bar.Set(pb.CleanOnFinish, true).Set(pb.Terminal, true)
	bar.Set("what", what).Set("rows", "").Set("left", "")
	bar.SetWriter(w).SetMaxWidth(110).SetRefreshRate(200 * time.Millisecond)
	return &Bar{bar: bar.Start(), began: time.Now()}
}

// Set says that done of total is done, which was that many rows. Total may change; 0 is not known yet.
func (b *Bar) Set(done, total, rows int64) {
	if b.bar == nil {
		return
	}
	b.bar.SetTotal(total).SetCurrent(done)
	took := time.Since(b.began)
	b.bar.Set("rows", rate(rows, took)).Set("left", left(done, total, took))
}

// Finish ends and wipes the line. It may be called more than once.
func (b *Bar) Finish() {
	if b.bar != nil {
		b.bar.Finish()
	}
}

// rate is the text for so many rows in so long a time.
func rate(rows int64, took time.Duration) string {
	perSec := float64(rows) / max(took.Seconds(), 0.001)
	switch {
	case perSec >= 1e6:
		return fmt.Sprintf("%.1fM rows/s", perSec/1e6)
	case perSec >= 1e3:
		return fmt.Sprintf("%.0fk rows/s", perSec/1e3)
	}
	return fmt.Sprintf("%.0f rows/s", perSec)
}

// left is the text for the time that the rest takes at the pace so far, "" where there is no telling.
func left(done, total int64, took time.Duration) string {
	if done <= 0 || total < done {
		return ""
	}
	rest := time.Duration(float64(took) * float64(total-done) / float64(done))
	return rest.Round(time.Second).String() + " left"
}
