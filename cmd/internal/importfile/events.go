package importfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"millrace/engine/event"
	"millrace/ingest"
	"millrace/ingest/accesslog"
	"millrace/ingest/enrich"
)

const (
	maxLine  = 1 << 20 // the largest body of a request
	maxShown = 10      // malformed lines that are kept
)

// Reasons for which a line of events is skipped.
const (
	SkipEmpty = accesslog.SkipEmpty // nothing in it
	SkipSite  = "site"              // of another site than the one that was asked for
)

// events reads NDJSON of our own event. It belongs to one goroutine.
type events struct {
	in     *bufio.Reader
	site   string
	id     *enrich.Identity
	parser ingest.Parser
	now    event.Time // events of the future are refused

	ev    event.Event
	sum   Summary
	first []Malformed
	err   error
}

func newEvents(in io.Reader, site string, id *enrich.Identity) (*events, error) {
	if site != "" {
		if err := event.ValidSite(site); err != nil {
			return nil, err
		}
	}
	return &events{
		in:   bufio.NewReaderSize(in, maxLine),
		site: site,
		id:   id,
		now:  event.TimeOf(time.Now()),
		sum:  Summary{Skipped: map[string]int64{}},
	}, nil
}

func (s *events) Event() *event.Event    { return &s.ev }
func (s *events) Summary() Summary       { return s.sum }
func (s *events) Malformed() []Malformed { return s.first }
func (s *events) Err() error             { return s.err }

// Scan moves to the next event.
func (s *events) Scan() bool {
	for s.err == nil {
		line, ok := s.line()
		if !ok {
			return false
		}
		if s.take(line) {
			s.sum.Events++
			return true
		}
	}
	return false
}

// line returns the next line; false at the end. A line that is too long is counted here, and comes as nil.
func (s *events) line() ([]byte, bool) {
	line, err := s.in.ReadSlice('\n')
	if len(line) == 0 && err != nil {
		s.end(err)
		return nil, false
	}
	s.sum.Lines++
	if errors.Is(err, bufio.ErrBufferFull) {
		s.malformed(fmt.Sprintf("longer than %d bytes", maxLine))
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = s.in.ReadSlice('\n')
		}
		s.end(err)
		return nil, true
	}
	s.end(err)
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		s.sum.Skipped[SkipEmpty]++
		return nil, true
	}
	return line, true
}

func (s *events) end(err error) {
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
}

// take reads the event of a line into s.ev; false if there is none.
func (s *events) take(line []byte) bool {
	if line == nil {
		return false
	}
	inputs, err := s.parser.Parse(line, true, s.now)
	switch {
	case err != nil:
		s.malformed(err.Error())
		return false
	case len(inputs) != 1 || line[0] != '{':
		s.malformed("a line holds one event, this is an array")
		return false
	case inputs[0].Time == 0:
		s.malformed("ts: is missing")
		return false
	case s.site != "" && inputs[0].Site != s.site:
		s.sum.Skipped[SkipSite]++
		return false
	}
	in := &inputs[0]
	in.Complete(s.id, ingest.Sender{Client: "import", Server: true}, in.Time)
	in.Received = in.Time
	if in.ID == "" {
		in.ID = s.id.Digest(in.Site, line) + "-" + strconv.FormatInt(s.sum.Lines, 10)
	}
	s.ev = in.Event
	return true
}

func (s *events) malformed(reason string) {
	s.sum.Malformed++
	if len(s.first) < maxShown {
		s.first = append(s.first, Malformed{Line: s.sum.Lines, Reason: reason})
	}
}
