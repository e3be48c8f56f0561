package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"millrace/emit/lake/commits"
	"millrace/engine/event"
	"millrace/internal/blob"
)

// An erasure is a note whose name says all that a reader of rows needs, so that one list is enough:
//
//	_progress.note.erased.<hash of the site, visitor, time before which: 16 hexadecimal digits each>.parquet
//
// Its text is a commits.Erasure with the site by its name. Notes of erasures are never changed and never deleted: what was erased may
// come again, out of an old backup or by the import of an old file.
const erasedNote = "erased."

// PutErasure has a visitor's rows hidden from now on, and left out of all that is written: see Reader.Erase for those that are
// there. Done twice, it is done once.
func PutErasure(ctx context.Context, store blob.Store, e commits.Erasure) error {
	e.Until, e.Version = 0, 0
	if err := e.Validate(); err != nil {
		return err
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return PutNote(ctx, store, erasureName(&e), string(text))
}

func erasureName(e *commits.Erasure) string {
	return fmt.Sprintf("%s%016x%016x%016x", erasedNote, hashOfSite(e.Site), uint64(e.Visitor), int64(e.Before))
}

// ErrErasure is wrapped by the error for an erasure that can't be read.
var ErrErasure = errors.New("the erasure is damaged")

// Erasures returns what is erased, in order of their names.
func (l *Reader) Erasures(ctx context.Context) ([]commits.Erasure, error) {
	names, err := l.Notes(ctx, erasedNote)
	if err != nil {
		return nil, err
	}
	var list []commits.Erasure
	for _, name := range names {
		e, err := l.erasure(ctx, name)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// erasure reads the note of an erasure.
func (l *Reader) erasure(ctx context.Context, name string) (e commits.Erasure, err error) {
	text, found, err := l.Note(ctx, name)
	switch {
	case err != nil && !errors.Is(err, ErrNote):
		return e, fmt.Errorf("read an erasure: %w", err) // the store does not answer
	case err == nil && !found:
		err = blob.ErrNotFound // somebody deletes them
	case err == nil:
		if err = json.Unmarshal([]byte(text), &e); err == nil {
			err = e.Validate()
		}
		if err == nil && erasureName(&e) != name {
			err = errors.New("it is another one than its name says")
		}
	}
	if err != nil {
		object, _ := noteObject(name)
		err = fmt.Errorf("%q in %s: %w: %w; delete it, and run forget again for whom it was", object, l.store, ErrErasure, err)
	}
	return e, err
}

// erased is who is erased, by visitor. It is never changed once it is made; nil is nobody.
type erased map[event.Visitor][]erasedAt

type erasedAt struct {
	site   uint64 // a hash of it
	before event.Time
}

// row reports whether a visitor's events are erased that a collector took in at a time.
func (s erased) row(site string, who event.Visitor, received event.Time) bool {
	if who == 0 || len(s) == 0 {
		return false
	}
	list := s[who]
	if list == nil {
		return false
	}
	hash := hashOfSite(site)
	for _, e := range list {
		if e.site == hash && received < e.before {
			return true
		}
	}
	return false
}

// has reports whether somebody of a site is erased.
func (s erased) has(site string) bool {
	hash := hashOfSite(site)
	for _, list := range s {
		if slices.ContainsFunc(list, func(e erasedAt) bool { return e.site == hash }) {
			return true
		}
	}
	return false
}

func hashOfSite(site string) uint64 { return xxhash.Sum64String(site) }

// erasures keeps up with the erasures of a store: one list of names, which is as old as keepErasures at most.
type erasures struct {
	mu     sync.Mutex // guards what follows
	taken  time.Time
	names  map[string]bool // what all is made of
	all    erased
	listed []string // the same, in order
}

// keepErasures is how long a list of erasures is good. Whoever asks for one waits that long until rows are hidden.
const keepErasures = 5 * time.Second

// erasedForm is what the names of erasures look like.
var erasedForm = regexp.MustCompile(`^erased\.([0-9a-f]{16})([0-9a-f]{16})([0-9a-f]{16})$`)

// of returns who is erased, by a list that is as old as given at most, and the names of the notes.
func (c *erasures) of(ctx context.Context, store blob.Store, age time.Duration) (erased, []string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !c.taken.IsZero() && now.Sub(c.taken) < age {
		return c.all, c.listed, nil
	}
	names, err := (&Reader{store: store}).Notes(ctx, erasedNote)
	if err != nil {
		return nil, nil, fmt.Errorf("list what is erased: %w", err)
	}
	found := make(map[string]bool, len(names))
	for _, name := range names {
		found[name] = true
	}
	if !maps.Equal(found, c.names) {
		all := erased{}
		for _, name := range names {
			m := erasedForm.FindStringSubmatch(name)
			if m == nil {
				continue // of a later release, which says elsewhere that it is needed
			}
			var n [3]uint64
			for i := range n {
				n[i], _ = strconv.ParseUint(m[i+1], 16, 64) // its form was checked
			}
			who := event.Visitor(n[1])
			all[who] = append(all[who], erasedAt{n[0], event.Time(n[2])})
		}
		c.all, c.names, c.listed = all, found, names
	}
	c.taken = now
	return c.all, c.listed, nil
}

// erasedKey is the key of a file's metadata that has the places of its rows which were erased, as JSON: [[offset, index], …], in the
// order of the log. They count as rows that are there: a segment lacks none.
const erasedKey = "millrace.erased"

// encodePlaces returns the text of places.
func encodePlaces(list []place) string {
	b := []byte{'['}
	for i, p := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		b = strconv.AppendInt(b, p.offset, 10)
		b = append(b, ',')
		b = strconv.AppendInt(b, int64(p.index), 10)
		b = append(b, ']')
	}
	return string(append(b, ']'))
}

// decodePlaces reads what encodePlaces writes.
func decodePlaces(text string) (list []place, err error) {
	var all [][2]int64
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&all); err != nil {
		return nil, fmt.Errorf("%s in its metadata: %w", erasedKey, err)
	}
	if len(all) > mostRows {
		return nil, fmt.Errorf("%s in its metadata has %d places", erasedKey, len(all))
	}
	for _, p := range all {
		list = append(list, place{p[0], int32(p[1])})
	}
	return list, nil
}
