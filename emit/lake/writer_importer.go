package lake

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"millrace/engine/event"
	"millrace/internal/blob"
)

// ImportTopic names the rows of an imported file after a hash of it. The hash must cover everything
// that the rows depend on: the file's bytes, and what it was read with, such as the site and the
// format. Importing the same again then makes the same objects again, and importing it for another
// site makes others.
func ImportTopic(hash []byte) (string, error) { return importTopic(ImportPrefix+rankedMark, hash) }

// PlacedTopic names the rows of a file that a build before has imported, whose events have ids by
// their place in it.
func PlacedTopic(hash []byte) (string, error) { return importTopic(ImportPrefix, hash) }

// rankedMark is no hexadecimal digit, and so separates the topics of events with ids by rank from those
// with ids by place.
const rankedMark = "r"

func importTopic(prefix string, hash []byte) (string, error) {
	const digits = 12
	s := hex.EncodeToString(hash)
	if len(s) < digits {
		return "", fmt.Errorf("import: a hash of %d bytes is too short", len(hash))
	}
	return prefix + s[:digits], nil
}

// Importer writes the events of a file into the lake. Not safe for several goroutines.
//
// It holds at most a segment of importRows events. An import that was cut short is completed by
// doing it again; until it is, Reader.Check calls its objects unfinished.
type Importer struct {
	store blob.Store
	topic string
	cut   int
	buf   *buffer
	stats Stats

	erased erasures

	first  int64 // the segment's first offset
	last   place // of the last event; offset -1 before the first
	before int64 // rows in segments before
	err    error // sticky
}

// importRows cuts the segments of imports. It is not an option: the objects of a file depend on it,
// and must be the same the next time.
const importRows = 250_000

// ErrClosed is returned by an Importer that was closed.
var ErrClosed = errors.New("import: closed")

// NewImporter returns an importer of rows under a topic that ImportTopic named.
func NewImporter(store blob.Store, topic string) *Importer {
	return &Importer{store: store, topic: topic, cut: importRows, buf: newBuffer(), last: place{offset: -1}}
}

// Add takes an event of a line; offset is the line's number, from 0, and does not go down. Several
// events of one line are numbered in the order they are added. e is not kept. After an error all
// further calls fail.
func (m *Importer) Add(ctx context.Context, e *event.Event, offset int64) error {
	switch {
	case m.err != nil:
		return m.err
	case offset < 0 || offset < m.last.offset:
		return m.fail(fmt.Errorf("import: line %d after %d", offset, m.last.offset))
	case offset == m.last.offset:
		m.last.index++
	default:
		if len(m.buf.rows) >= m.cut {
			if err := m.flush(ctx, offset); err != nil {
				return m.fail(err)
			}
		}
		m.last = place{offset: offset}
	}
	m.buf.add(e, offset, m.last.index)
	return nil
}

func (m *Importer) fail(err error) error {
	m.err = err
	return err
}

func (m *Importer) flush(ctx context.Context, next int64) error {
	rows := int64(len(m.buf.rows))
	if rows == 0 {
		return nil
	}
	gone, _, err := m.erased.of(ctx, m.store, keepErasures)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	expired, err := NewReader(m.store).Expired(ctx)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	seg := segment{First: m.first, Next: next, Before: m.before, Rows: rows}
	err = m.buf.objects(m.topic, 0, seg, gone, expired, func(key Key, body []byte) error {
		m.stats.Objects++
		m.stats.Bytes += int64(len(body))
		return m.store.Put(ctx, key.String(), body)
	})
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	m.stats.Rows += rows
	m.stats.Segments++
	m.first, m.before = next, m.before+rows
	m.buf.reset()
	return nil
}

// Close writes what is left, and last the progress, which makes the import complete. It does
// nothing more after an error of Add, and returns that.
func (m *Importer) Close(ctx context.Context) error {
	if errors.Is(m.err, ErrClosed) {
		return nil
	}
	if m.err != nil {
		return m.err
	}
	next := m.last.offset + 1
	if err := m.flush(ctx, next); err != nil {
		return m.fail(err)
	}
	p := Progress{
		Version: progressVersion, Topic: m.topic, Partitions: 1, NextOffset: next, Rows: m.before,
		Cut: Cut{Rows: m.cut},
	}
	body, err := p.encode()
	if err == nil {
		err = m.store.Put(ctx, p.key(), body)
	}
	if err == nil {
		err = MoveProgress(ctx, m.store) // of this file and of others that a build before imported
	}
	if err != nil {
		return m.fail(fmt.Errorf("import: %w", err))
	}
	m.err = ErrClosed
	return nil
}

// Stats returns what was written.
func (m *Importer) Stats() Stats { return m.stats }
