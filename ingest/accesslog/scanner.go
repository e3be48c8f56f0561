package accesslog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"millrace/engine/event"
	"millrace/ingest/enrich"
)

const (
	// MaxLine is the longest line that is read, in bytes; Apache's own limits keep lines below 30 KiB.
	MaxLine = 64 << 10
	// maxShown is how many malformed lines are kept.
	maxShown = 10
)

// Reasons a line is skipped for.
const (
	SkipEmpty  = "empty"  // nothing in it
	SkipMethod = "method" // not GET
	SkipStatus = "status" // neither 2xx nor 304
	SkipAsset  = "asset"  // the path is that of a style sheet, script, image, font, sound or film
)

// Summary counts lines. Lines = Events + the sum of Skipped + Malformed.
type Summary struct {
	Lines     int64            `json:"lines"`
	Events    int64            `json:"events"`
	Skipped   map[string]int64 `json:"skipped"`
	Malformed int64            `json:"malformed"`
}

// Malformed is a line that is not in the combined format.
type Malformed struct {
	// Line is its number, from 1.
	Line int64
	// Reason says what is wrong with it.
	Reason string
}

// Scanner reads a log line by line.
type Scanner struct {
	in    *bufio.Reader
	site  string
	id    *enrich.Identity
	sum   Summary
	first []Malformed
	ev    event.Event
	err   error
}

// NewScanner returns a Scanner over the log of a site. The error is event.ErrSite.
func NewScanner(in io.Reader, site string, id *enrich.Identity) (*Scanner, error) {
	if err := event.ValidSite(site); err != nil {
		return nil, err
	}
	return &Scanner{
		in:   bufio.NewReaderSize(in, MaxLine),
		site: site,
		id:   id,
		sum:  Summary{Skipped: make(map[string]int64)},
	}, nil
}

// Scan moves to the next event. It returns false at the end of the log or at an error of the reader.
func (s *Scanner) Scan() bool {
	for s.err == nil {
		line, ok := s.line()
		if !ok {
			return false
		}
		if line == nil {
			continue
		}
		l, err := parseLine(line)
		if err != nil {
			s.malformed(err.Error())
			continue
		}
		if reason := l.skip(); reason != "" {
			s.sum.Skipped[reason]++
			continue
		}
		s.sum.Events++
		s.set(line, &l)
		return true
	}
	return false
}

// Event returns the event that Scan moved to. Its strings are its own; the struct is overwritten by the next Scan.
func (s *Scanner) Event() *event.Event { return &s.ev }

// Summary returns the counts so far.
func (s *Scanner) Summary() Summary { return s.sum }

// Malformed returns the first few malformed lines.
func (s *Scanner) Malformed() []Malformed { return s.first }

// Err returns the reader's error, nil at a clean end.
func (s *Scanner) Err() error { return s.err }

// line returns the next line without its end; false at the end of the log; nil for a line that is too long or empty, which
// it has counted.
func (s *Scanner) line() ([]byte, bool) {
	line, err := s.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		s.sum.Lines++
		s.malformed(fmt.Sprintf("longer than %d bytes", MaxLine))
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = s.in.ReadSlice('\n')
		}
		s.end(err)
		return nil, true
	}
	s.end(err)
	if len(line) == 0 {
		return nil, false
	}
	s.sum.Lines++
	line = bytes.TrimRight(line, "\r\n")
	if len(bytes.TrimSpace(line)) == 0 {
		s.sum.Skipped[SkipEmpty]++
		return nil, true
	}
	return line, true
}

func (s *Scanner) end(err error) {
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = fmt.Errorf("read line %d: %w", s.sum.Lines+1, err)
	}
}

func (s *Scanner) malformed(reason string) {
	s.sum.Malformed++
	if len(s.first) < maxShown {
		s.first = append(s.first, Malformed{Line: s.sum.Lines, Reason: reason})
	}
}

func (s *Scanner) set(raw []byte, l *line) {
	ua := enrich.Clean(dash(l.ua), enrich.MaxUA)
	id := strconv.AppendInt(append([]byte(s.id.Digest(s.site, raw)), '-'), s.sum.Lines, 10)
	s.ev = event.Event{
		ID:       string(id),
		Site:     s.site,
		Name:     event.Pageview,
		Time:     l.time,
		Received: l.time,
		URL:      enrich.Clean("https://"+s.site+l.target, MaxLine),
		Referrer: enrich.Clean(dash(l.referrer), MaxLine),
		UA:       ua,
		Country:  enrich.HostCountry(l.host),
		Client:   "import",
	}
	s.ev.Visitor, s.ev.VisitorPrev = s.id.HostVisitor(s.site, l.host, ua, l.time)
}

// dash returns s, and "" for the "-" that stands for an absent field.
func dash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// skip returns the reason why the line is no pageview, "" if it is one.
func (l *line) skip() string {
	switch {
	case l.method != "GET":
		return SkipMethod
	case l.status/100 != 2 && l.status != 304:
		return SkipStatus
	case isAsset(l.target):
		return SkipAsset
	}
	return ""
}

// isAsset reports whether the path of a request target ends like a file that pages consist of.
func isAsset(target string) bool {
	if i := strings.IndexAny(target, "?#"); i >= 0 {
		target = target[:i]
	}
	dot := strings.LastIndexByte(target, '.')
	if dot < 0 {
		return false
	}
	switch strings.ToLower(target[dot+1:]) {
	case "css", "js", "mjs", "map",
		"png", "jpg", "jpeg", "gif", "ico", "svg", "webp", "avif",
		"woff", "woff2", "ttf", "eot", "otf",
		"mp4", "webm", "mp3":
		return true
	}
	return false
}
