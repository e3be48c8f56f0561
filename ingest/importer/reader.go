package importer

import (
	"bytes"
	"fmt"
	"io"

	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/importer/accesslog"
	"millrace/ingest/importer/lines"
)

// Formats of files.
const (
	// Combined is Apache's combined log format: each line that is a page somebody looked at is a pageview.
	Combined = "combined"
	// Events is NDJSON of the event of POST /v1/events, with ts.
	Events = "events"
)

// Malformed is a line that could not be read.
type Malformed = lines.Malformed

// Summary counts lines. Lines = Events + the sum of Skipped + Malformed.
type Summary = lines.Summary

// longestLine is the length of the longest line of a format that is read.
func longestLine(format string) int {
	if format == Events {
		return maxLine
	}
	return accesslog.MaxLine
}

// canonical returns the part of a line that makes it equal to another.
func canonical(format string, line []byte) []byte {
	if format == Events {
		return bytes.TrimSpace(line)
	}
	return line
}

// scanner is what both formats are read by.
type scanner interface {
	Scan() bool
	Event() *event.Event
	Summary() Summary
	Malformed() []Malformed
	Err() error
}

// Reader hands out the events of a File.
type Reader struct {
	scanner
	file *File
	read *counter
	log  *accesslog.Scanner // nil for events
}

// Read begins reading the events. Site is the site of an access log, and required there; of events it is the only one that
// is taken, or all if it is "". Rules returns that of a site.
func (f *File) Read(site string, id *identity.Identity, rules func(site string) identity.Rule) (*Reader, error) {
	in, err := f.content()
	if err != nil {
		return nil, err
	}
	// No further than was measured: a server may be writing more lines.
	r := &Reader{file: f, read: &counter{in: io.LimitReader(in, f.Bytes)}}
	switch f.format {
	case Combined:
		var s *accesslog.Scanner
		s, err = accesslog.NewScanner(r.read, site, id, rules(site), f.repeats.ranker())
		if err == nil {
			s.Exclude(f.excluder())
		}
		r.scanner, r.log = s, s
	case Events:
		r.scanner, err = newEvents(r.read, site, id, rules, f.repeats.ranker())
	default:
		err = fmt.Errorf("unknown format %q", f.format)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Signs are what an access log shows of being another site's; none of events.
func (r *Reader) Signs() accesslog.Signs {
	if r.log == nil {
		return accesslog.Signs{}
	}
	return r.log.Signs()
}

// Line is the number of the line that the event is from.
func (r *Reader) Line() int64 { return r.Summary().Lines }

// Read is how many bytes of the content have been read.
func (r *Reader) Read() int64 { return r.read.n }

// Err returns the error that ended the reading, nil at a clean end.
func (r *Reader) Err() error {
	if err := r.scanner.Err(); err != nil {
		return r.file.wrap(err)
	}
	return nil
}
