package progress

import (
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

const (
	maxColumns     = 110 // a longer bar shows no more
	unknownColumns = 100 // of a terminal that does not report its size
)

// columns returns how many columns the line has.
func columns(f *os.File) int {
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		n = unknownColumns
	}
	return min(n, maxColumns)
}

// line returns the text of exactly that many columns. The texts before and after the bar are
// ASCII, so a byte is a column; the bar has what they leave, and nothing in a narrow terminal.
func line(columns int, what string, s state) string {
	percent, speed, rest := "?", "", ""
	if s.total > 0 {
		percent = fmt.Sprintf("%3.0f%%", float64(s.done)/(float64(s.total)/100))
	}
	if s.took > 0 {
		speed, rest = rate(s.rows, s.took), left(s.done, s.total, s.took)
	}
	before, after := what+" ", fmt.Sprintf(" %s  %s  %s", percent, speed, rest)
	text := before + gauge(columns-len(before)-len(after), s.done, s.total) + after
	return fmt.Sprintf("%-*.*s", columns, columns, text)
}

// gauge draws the bar, or what there is space for of an empty one.
func gauge(columns int, done, total int64) string {
	const frame = "[]"
	inner := columns - len(frame)
	if inner <= 0 {
		return frame[:min(max(columns, 0), len(frame))]
	}
	full := 0
	if total > 0 {
		part := min(float64(done)/float64(total), 1)
		full = int(math.Ceil(part * float64(inner)))
	}
	body := strings.Repeat(" ", inner)
	if full > 0 {
		body = strings.Repeat("=", full-1) + ">" + body[full:]
	}
	return "[" + body + "]"
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

// left is the text for the time that the rest takes at the pace so far, "" where it cannot be known.
func left(done, total int64, took time.Duration) string {
	if done <= 0 || total < done {
		return ""
	}
	rest := time.Duration(float64(took) * float64(total-done) / float64(done))
	return rest.Round(time.Second).String() + " left"
}
