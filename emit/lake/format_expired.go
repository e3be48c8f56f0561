package lake

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"millrace/engine/event"
	"millrace/engine/wire"
	"millrace/internal/blob"
)

// Expired says what retention has taken out of an archive, for good: up to when the rows of each site, and which objects as a whole.
//
// It is a note whose name is a hash of its text, _progress.note.expired.<16 hexadecimal digits>.parquet. It is never changed: a later one
// takes its place, which says all that it says, and is put before the other is deleted. So whoever writes, and with however many, nothing
// is forgotten: where there are several notes, all of them hold.
type Expired struct {
	Version int `json:"version"`
	// Reach is how far behind rows that are gone numbers begin that a recount of the archive gives exactly: as long as a visit can be.
	Reach event.Time `json:"reach,omitempty"`
	// All is the time before which rows are gone of all sites but Sites; 0: none are.
	All   event.Time            `json:"all,omitempty"`
	Sites map[string]event.Time `json:"sites,omitempty"`

	logs map[Source]*goneLog
}

// expiredJSON is an Expired with its logs.
type expiredJSON struct {
	*Expired
	Logs []loggedGone `json:"logs,omitempty"`
}

type loggedGone struct {
	Topic     string   `json:"topic"`
	Partition int32    `json:"partition"`
	Gone      *goneLog `json:"gone"`
}

const (
	expiredNote    = "expired."
	expiredVersion = 1
)

// ErrExpired is wrapped by the error for a note of what is expired that can't be read.
var ErrExpired = errors.New("the note of what retention has deleted is damaged")

func newExpired() *Expired {
	return &Expired{Version: expiredVersion, Sites: map[string]event.Time{}, logs: map[Source]*goneLog{}}
}

// Before returns the time before which the rows of a site are gone; 0: none are.
func (x *Expired) Before(site string) event.Time {
	if t, ok := x.Sites[site]; ok {
		return t
	}
	return x.All
}

// gone reports whether the rows of a site are gone of an hour or a day, and all whether they are of all sites.
func (x *Expired) gone(site string, at event.Time) bool { return past(x.Before(site), at) }

func (x *Expired) all(at event.Time) bool { return past(x.least(), at) }

func past(before, at event.Time) bool { return before > 0 && at < before }

// KeptFrom returns the time from which on all numbers of a site can be counted exactly from the archive; 0: as far as it goes.
func (x *Expired) KeptFrom(site string) event.Time {
	if t := x.Before(site); t > 0 {
		return t + x.Reach
	}
	return 0
}

// Any reports whether rows of any site are gone.
func (x *Expired) Any() bool { return x.greatest() > 0 }

// greatest returns the greatest Before of any site, and least the least.
func (x *Expired) greatest() event.Time {
	t := x.All
	for _, s := range x.Sites {
		t = max(t, s)
	}
	return t
}

func (x *Expired) least() event.Time {
	t := x.All
	for _, s := range x.Sites {
		t = min(t, s)
	}
	return t
}

// of returns what is gone of a log; nil for nothing.
func (x *Expired) of(topic string, partition int32) *goneLog {
	return x.logs[Source{Topic: topic, Partition: partition}]
}

func (x *Expired) clone() *Expired {
	c := *x
	c.Sites, c.logs = maps.Clone(x.Sites), map[Source]*goneLog{}
	for at, g := range x.logs {
		c.logs[at] = g.clone()
	}
	return &c
}

// log returns what is gone of a log, to be added to.
func (x *Expired) log(topic string, partition int32) *goneLog {
	at := Source{Topic: topic, Partition: partition}
	if x.logs[at] == nil {
		x.logs[at] = &goneLog{Parts: map[int64]*gonePart{}}
	}
	return x.logs[at]
}

// merge adds what another says.
func (x *Expired) merge(of *Expired) {
	x.raise(of)
	x.Reach = max(x.Reach, of.Reach)
	for at, g := range of.logs {
		x.log(at.Topic, at.Partition).merge(g)
	}
}

// raise takes the later of two times for each site. A time never goes back: what is gone stays gone.
func (x *Expired) raise(to *Expired) {
	sites := map[string]event.Time{}
	for _, s := range slices.Concat(slices.Collect(maps.Keys(x.Sites)), slices.Collect(maps.Keys(to.Sites))) {
		sites[s] = max(x.Before(s), to.Before(s))
	}
	x.All = max(x.All, to.All)
	maps.DeleteFunc(sites, func(_ string, t event.Time) bool { return t == x.All })
	x.Sites = sites
}

// sitesOf names the sites of which rows of a day are gone: it is another name when they are others.
func (x *Expired) sitesOf(day event.Time) string {
	var list []string
	for s, t := range x.Sites {
		if past(t, day) != past(x.All, day) {
			list = append(list, s)
		}
	}
	slices.Sort(list)
	sum := sha256.Sum256(fmt.Appendf(nil, "%t %q", past(x.All, day), list))
	return hex.EncodeToString(sum[:8])
}

func (x *Expired) encode() (string, error) {
	out := expiredJSON{Expired: x}
	for _, at := range slices.SortedFunc(maps.Keys(x.logs), Source.compareLog) {
		out.Logs = append(out.Logs, loggedGone{at.Topic, at.Partition, x.logs[at]})
	}
	b, err := json.Marshal(out)
	return string(b), err
}

func decodeExpired(text string) (*Expired, error) {
	x := newExpired()
	in := expiredJSON{Expired: x}
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return nil, err
	}
	if x.Version > expiredVersion {
		return nil, wire.Newer(x.Version, expiredVersion, expiredVersion)
	}
	if x.Version != expiredVersion {
		return nil, fmt.Errorf("it is of version %d, and this release reads %d", x.Version, expiredVersion)
	}
	for _, l := range in.Logs {
		if l.Gone == nil {
			continue
		}
		if err := l.Gone.validate(); err != nil {
			return nil, fmt.Errorf("%s-%d: %w", l.Topic, l.Partition, err)
		}
		x.log(l.Topic, l.Partition).merge(l.Gone)
	}
	if x.Sites == nil {
		x.Sites = map[string]event.Time{}
	}
	return x, nil
}

// Expired returns what retention has taken out of the archive. A note that can't be read is an error that wraps ErrExpired.
func (l *Reader) Expired(ctx context.Context) (*Expired, error) {
	x, _, err := l.readExpired(ctx)
	return x, err
}

// readExpired is Expired with the names of the notes.
func (l *Reader) readExpired(ctx context.Context) (*Expired, []string, error) {
	const tries = 10 // a note may be replaced between the listing and the reading
	for try := 1; ; try++ {
		names, err := l.Notes(ctx, expiredNote)
		if err != nil {
			return nil, nil, fmt.Errorf("list what is expired: %w", err)
		}
		x, gone := newExpired(), false
		for _, name := range names {
			text, found, err := l.Note(ctx, name)
			if err == nil && !found {
				gone = true
				break
			}
			if err != nil && !errors.Is(err, ErrNote) {
				return nil, nil, fmt.Errorf("read what is expired: %w", err)
			}
			var one *Expired
			if err == nil {
				one, err = decodeExpired(text)
			}
			if errors.Is(err, wire.ErrNewer) {
				return nil, nil, fmt.Errorf("note %q of the archive: %w", name, err)
			}
			if err != nil {
				key, _ := noteObject(name)
				return nil, nil, fmt.Errorf("%q in %s: %w: %w; restore it from a copy, or delete it: then files that retention has deleted count as lost", key, l.store, ErrExpired, err)
			}
			x.merge(one)
		}
		if !gone {
			return x, names, nil
		}
		if try == tries {
			return nil, nil, errors.New("read what is expired: its notes are replaced again and again")
		}
	}
}

// putExpired puts a note in the place of others, all of which it has to hold.
func putExpired(ctx context.Context, store blob.Store, x *Expired, others []string) (name string, err error) {
	text, err := x.encode()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(text))
	name = expiredNote + hex.EncodeToString(sum[:8])
	if !slices.Contains(others, name) {
		if err := PutNote(ctx, store, name, text); err != nil {
			return "", fmt.Errorf("note what is expired: %w", err)
		}
	}
	for _, other := range others {
		if other != name {
			_ = DeleteNote(ctx, store, other) // some may put and not delete: all notes hold
		}
	}
	return name, nil
}

func (s Source) compareLog(of Source) int {
	return cmp.Or(cmp.Compare(s.Topic, of.Topic), cmp.Compare(s.Partition, of.Partition))
}

// sameTimes reports whether the rows of the same days are gone, of all sites.
func (x *Expired) sameTimes(of *Expired) bool {
	return x.All == of.All && maps.Equal(x.Sites, of.Sites)
}
