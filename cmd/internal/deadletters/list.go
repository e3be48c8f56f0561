package deadletters

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"millrace/internal/deadletter"
)

// Newest is the newest letters that a filter takes.
type Newest struct {
	// Letters are in order of the time they were written, without the values of their records.
	Letters []deadletter.Entry
	// Count is how many letters there are, those that are older included.
	Count int
}

// List returns the newest letters that a filter takes, at most so many; 0 is all. A record has one:
// one that was read again after a crash has a letter more.
func List(ctx context.Context, box *deadletter.Box, f deadletter.Filter, most int) (Newest, error) {
	n := newest{most: most, seen: map[deadletter.Coord]bool{}}
	if err := box.Each(ctx, f, func(e *deadletter.Entry) error {
		n.add(e)
		return nil
	}); err != nil {
		return Newest{}, err
	}
	return Newest{Letters: n.sorted(), Count: n.count}, nil
}

// newest keeps the newest letters.
type newest struct {
	most    int // 0: no limit
	letters []deadletter.Entry
	seen    map[deadletter.Coord]bool
	count   int
}

func (n *newest) add(e *deadletter.Entry) {
	if n.seen[e.Coord()] {
		return
	}
	n.seen[e.Coord()] = true
	n.count++
	kept := *e
	kept.Value = nil
	if n.letters = append(n.letters, kept); n.most > 0 && len(n.letters) >= 2*n.most {
		n.letters = n.sorted()
	}
}

// sorted returns them in order of time.
func (n *newest) sorted() []deadletter.Entry {
	slices.SortStableFunc(n.letters, func(a, b deadletter.Entry) int { return a.SetAside.Compare(b.SetAside) })
	if n.most > 0 && len(n.letters) > n.most {
		return append([]deadletter.Entry(nil), n.letters[len(n.letters)-n.most:]...)
	}
	return n.letters
}

// Find returns the letters that coords name, in that order. The error names all that are missing.
func Find(ctx context.Context, box *deadletter.Box, coords []deadletter.Coord) ([]*deadletter.Entry, error) {
	found := make([]*deadletter.Entry, len(coords))
	err := box.Each(ctx, deadletter.Filter{}, func(e *deadletter.Entry) error {
		for i, c := range coords {
			if found[i] == nil && e.Is(c) {
				found[i] = e
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var errs []error
	for i, e := range found {
		if e == nil {
			errs = append(errs, fmt.Errorf("there is no dead letter %s", coords[i]))
		}
	}
	return found, errors.Join(errs...)
}

// Printable returns text from outside for a terminal: what is no printable character is escaped,
// and it is cut behind most bytes.
func Printable(s string, most int) string {
	cut := ""
	if len(s) > most {
		for most > 0 && !utf8.RuneStart(s[most]) {
			most--
		}
		s, cut = s[:most], "…"
	}
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`) + cut
}
