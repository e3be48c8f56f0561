package lines

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// TestReader: what lines of any origin are read as; a line is TEXT or FAULT:, and + marks one whose end is missing.
func TestReader(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		r := NewReader(iotest.OneByteReader(strings.NewReader(text)), 16)
		var got []string
		for r.Next() {
			line := string(r.Bytes())
			if fault := r.Fault(); fault != "" {
				line, _, _ = strings.Cut(fault, ":")
				line += ":"
			}
			if !r.Ended() {
				line += "+"
			}
			got = append(got, line)
		}
		if r.Err() != nil || !slices.Equal(got, want) || r.Number() != int64(len(want)) {
			t.Errorf("%q: %q, %d, %v; want %q", text, got, r.Number(), r.Err(), want)
		}
	}
	f("")
	f("a\n\nb\r\n", "a", "", "b")
	f("a", "a+")
	f("\xef\xbb\xbfa\n", "a")
	f("a\n"+strings.Repeat("x", 40)+"\nb\n", "a", "longer than 16 bytes:+", "b")
	f("\x00\x00a\n", "a")
	f("\x00\x00\nb\n", "nothing but NUL bytes:", "b")
	f("a\x00\n", "NUL bytes within the line:")
	f("a\n\x00", "a", "nothing but NUL bytes:+")
}

// TestScanner: each line is one of an event, skipped or malformed, and so many of the malformed are kept.
func TestScanner(t *testing.T) {
	var taken []string
	s := NewScanner(strings.NewReader("a\n\n skip\n"+strings.Repeat("bad\n", 12)+strings.Repeat("x", 40)+"\nb"), 16,
		func(line []byte, ended bool) (skip, fault string) {
			switch {
			case string(line) == " skip":
				return "reason", ""
			case string(line) == "bad":
				return "", "no good"
			}
			taken = append(taken, fmt.Sprint(string(line), ended))
			return "", ""
		})
	n := 0
	for s.Scan() {
		n++
	}
	sum := s.Summary()
	if sum.Lines != 17 || sum.Events != 2 || sum.Malformed != 13 || !maps.Equal(sum.Skipped, map[string]int64{"reason": 1, SkipEmpty: 1}) {
		t.Errorf("%+v", sum)
	}
	if n != 2 || !slices.Equal(taken, []string{"atrue", "bfalse"}) {
		t.Errorf("%d events of %q", n, taken)
	}
	if m := s.Malformed(); len(m) != maxShown || m[0] != (Malformed{4, "no good"}) || m[9] != (Malformed{13, "no good"}) {
		t.Errorf("%+v", m)
	}
}

func TestScannerError(t *testing.T) {
	broken := errors.New("disk on fire")
	s := NewScanner(io.MultiReader(strings.NewReader("a\n"), iotest.ErrReader(broken)), 16,
		func([]byte, bool) (skip, fault string) { return "", "" })
	if !s.Scan() || s.Scan() || !errors.Is(s.Err(), broken) {
		t.Errorf("%+v, %v", s.Summary(), s.Err())
	}
}
