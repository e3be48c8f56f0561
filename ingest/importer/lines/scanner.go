package lines

import "io"

// maxShown is how many malformed lines are kept.
const maxShown = 10

// SkipEmpty is the reason for which a line with nothing in it is skipped.
const SkipEmpty = "empty"

// Summary counts lines. Lines = Events + the sum of Skipped + Malformed.
type Summary struct {
	Lines     int64            `json:"lines"`
	Events    int64            `json:"events"`
	Skipped   map[string]int64 `json:"skipped"`
	Malformed int64            `json:"malformed"`
}

// Malformed is a line that could not be read.
type Malformed struct {
	// Line is its number, from 1.
	Line int64
	// Reason is what is wrong with it.
	Reason string
}

// Take reads one line, which is not empty and has no fault. It returns why the line is skipped, or
// what is wrong with it, or neither if it has taken the line's event. The line is valid until it
// returns; ended is false for a last line that has no end, and may lack more than that.
type Take func(line []byte, ended bool) (skip, fault string)

// Scanner goes through the lines of a text and counts what becomes of each. A format's own scanner
// embeds one.
type Scanner struct {
	in    *Reader
	take  Take
	sum   Summary
	first []Malformed
}

// NewScanner returns a Scanner over a text whose lines have at most so many bytes.
func NewScanner(in io.Reader, most int, take Take) *Scanner {
	return &Scanner{in: NewReader(in, most), take: take, sum: Summary{Skipped: map[string]int64{}}}
}

// Scan moves to the next line with an event. It returns false at the end of the text, or at an error
// of the reader.
func (s *Scanner) Scan() bool {
	for s.in.Next() {
		s.sum.Lines++
		skip, fault := "", s.in.Fault()
		switch {
		case s.in.Empty():
			skip = SkipEmpty
		case fault == "":
			skip, fault = s.take(s.in.Bytes(), s.in.Ended())
		}
		switch {
		case fault != "":
			s.malformed(fault)
		case skip != "":
			s.sum.Skipped[skip]++
		default:
			s.sum.Events++
			return true
		}
	}
	return false
}

func (s *Scanner) malformed(reason string) {
	s.sum.Malformed++
	if len(s.first) < maxShown {
		s.first = append(s.first, Malformed{Line: s.sum.Lines, Reason: reason})
	}
}

// Summary returns the counts so far.
func (s *Scanner) Summary() Summary { return s.sum }

// Malformed returns the first few malformed lines.
func (s *Scanner) Malformed() []Malformed { return s.first }

// Err returns the reader's error, nil at a clean end.
func (s *Scanner) Err() error { return s.in.Err() }
