package importfile

import (
	"fmt"

	"millrace/engine/event"
	"millrace/ingest/accesslog"
	"millrace/ingest/enrich"
)

// Formats of files.
const (
	// Combined is Apache's combined log format: each line that is a page somebody looked at is a pageview.
	Combined = "combined"
	// Events is NDJSON of the event of POST /v1/events, with ts.
	Events = "events"
)

// Malformed is a line that could not be read.
type Malformed = accesslog.Malformed

// Summary counts lines. Lines = Events + the sum of Skipped + Malformed.
type Summary = accesslog.Summary

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
}

// Read begins reading the events. Site is the site of an access log, and required there; of events it is the only one that
// is taken, or all if it is "".
func (f *File) Read(format, site string, id *enrich.Identity) (*Reader, error) {
	in, err := f.content()
	if err != nil {
		return nil, err
	}
	r := &Reader{file: f, read: &counter{in: in}}
	switch format {
	case Combined:
		r.scanner, err = accesslog.NewScanner(r.read, site, id)
	case Events:
		r.scanner, err = newEvents(r.read, site, id)
	default:
		err = fmt.Errorf("unknown format %q", format)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
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
