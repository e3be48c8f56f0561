package commits

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"millrace/internal/blob"
)

// ErrPublished is wrapped by the error for a published form that is not one: damaged, or with parts that are missing.
var ErrPublished = errors.New("what is published of the tables of hits and visits can't be read")

// remedy is what an operator can do about ErrPublished.
const remedy = "the tables are derived: stop the role archive, delete the folders of the partition in hits/ and visits/, and start; they are made again"

// place is where the published form of a partition lies.
type place struct {
	store     blob.Store
	topic     string
	partition int32
	reuse     bool // see State
}

func (p *place) dir(t Table) string    { return Dir(t, p.topic, p.partition) }
func (p *place) logDir(t Table) string { return p.dir(t) + "_delta_log/" }
func (p *place) foldDir() string       { return p.dir(Hits) + "_fold/" }

// entryKey is the entry of a version in a table's log.
func (p *place) entryKey(t Table, version int64) string {
	return fmt.Sprintf("%s%020d.json", p.logDir(t), version)
}

func (p *place) checkpointKey(t Table, version int64) string {
	return fmt.Sprintf("%s%020d.checkpoint.parquet", p.logDir(t), version)
}

// lastKey is the pointer to the newest checkpoint of a table's log.
func (p *place) lastKey(t Table) string { return p.logDir(t) + "_last_checkpoint" }

// foldKey is the fold of a state. It is put before any pointer to it.
func (p *place) foldKey(s *State) string {
	return fmt.Sprintf("%s%020d-%s.json", p.foldDir(), s.Version, s.Sum)
}

var (
	logForm  = regexp.MustCompile(`/_delta_log/(\d{20})\.(?:json|checkpoint\.parquet)$`)
	foldForm = regexp.MustCompile(`/_fold/(\d{20})-[0-9a-f]+\.json$`)
)

// versionOf returns the version that a key holds by one of the forms.
func versionOf(form *regexp.Regexp, key string) (int64, bool) {
	m := form.FindStringSubmatch(key)
	if m == nil {
		return 0, false
	}
	v, err := strconv.ParseInt(m[1], 10, 64)
	return v, err == nil
}

func (p *place) damaged(key string, why error) error {
	return fmt.Errorf("%w: object %q in %s: %w; %s", ErrPublished, key, p.store, why, remedy)
}

// lastCheckpoint is the pointer, in Delta's form. Tags name the fold.
type lastCheckpoint struct {
	Version       int64             `json:"version"`
	Size          int64             `json:"size"`
	NumOfAddFiles int64             `json:"numOfAddFiles"`
	Tags          map[string]string `json:"tags"`
}

const (
	foldTag = "millrace.fold"
	sumTag  = "millrace.sum"
)

// published is the newest state that is published.
type published struct {
	*State
	folded int64 // the version of the newest fold, none if there is none
	last   *step // the last entry, nil if the state is that of a fold
}

// load returns the newest state that is published.
func (p *place) load(ctx context.Context) (*published, error) {
	s, folded, err := p.loadFold(ctx)
	if err != nil {
		return nil, err
	}
	s.reuse = p.reuse
	return p.newest(ctx, &published{State: s, folded: folded})
}

// loadFold returns the state that the pointer names.
func (p *place) loadFold(ctx context.Context) (s *State, folded int64, err error) {
	body, err := p.store.Get(ctx, p.lastKey(Hits))
	if errors.Is(err, blob.ErrNotFound) {
		return NewState(p.topic, p.partition), none, nil
	}
	if err != nil {
		return nil, 0, err
	}
	var last lastCheckpoint
	if err := json.Unmarshal(body, &last); err != nil {
		return nil, 0, p.damaged(p.lastKey(Hits), err)
	}
	s, err = p.fold(ctx, FoldRef{last.Tags[foldTag], last.Tags[sumTag]})
	if errors.Is(err, blob.ErrNotFound) { // of an old pointer that came late
		return NewState(p.topic, p.partition), none, nil
	}
	if err != nil {
		return nil, 0, err
	}
	return s, s.Version, nil
}

// fold returns the state of a fold.
func (p *place) fold(ctx context.Context, ref FoldRef) (*State, error) {
	if err := blob.ValidKey(ref.Key); err != nil || !strings.HasPrefix(ref.Key, p.foldDir()) {
		return nil, p.damaged(ref.Key, errors.New("it is no fold of this partition"))
	}
	body, err := p.store.Get(ctx, ref.Key)
	if err != nil {
		return nil, err
	}
	s, err := decodeFold(body)
	if err == nil && (s.Topic != p.topic || s.Partition != p.partition || s.Sum != ref.Sum) {
		err = errors.New("it is another one")
	}
	if err != nil {
		return nil, p.damaged(ref.Key, err)
	}
	s.reuse = p.reuse
	return s, nil
}

// newest goes on from a state to the newest one. The entries behind it may be gone, if a pointer to an old fold was put late: then
// it goes on from the newest fold that there is.
func (p *place) newest(ctx context.Context, at *published) (*published, error) {
	for {
		last, err := p.follow(ctx, at.State)
		if err != nil && !errors.Is(err, ErrPublished) {
			return nil, err
		}
		if last != nil {
			at = &published{last.after, at.folded, last}
		}
		more, listErr := p.hasMore(ctx, at.Version)
		switch {
		case listErr != nil:
			return nil, listErr
		case err == nil && !more:
			return at, nil
		case err == nil && last != nil:
			continue // it may have been put meanwhile
		}
		newer, listErr := p.newestFold(ctx, at.Version)
		switch {
		case listErr != nil:
			return nil, listErr
		case newer != nil:
			at = &published{newer, newer.Version, nil}
			continue
		case err != nil:
			return nil, err
		}
		last, err = p.follow(ctx, at.State)
		if err == nil && last == nil { // nor was it put meanwhile
			err = p.damaged(p.entryKey(Hits, at.Version+1), errors.New("it is missing, and later ones are there"))
		}
		if err != nil {
			return nil, err
		}
		at = &published{last.after, at.folded, last}
	}
}

// follow applies the entries that are there to a state, and returns the last step, nil if there are none. With an error it returns
// the last before that.
func (p *place) follow(ctx context.Context, s *State) (last *step, err error) {
	for {
		key := p.entryKey(Hits, s.Version+1)
		body, err := p.store.Get(ctx, key)
		if errors.Is(err, blob.ErrNotFound) {
			return last, nil
		}
		if err != nil {
			return last, err
		}
		e, err := readEntry(body)
		if err != nil {
			return last, p.damaged(key, err)
		}
		next := s.Clone()
		counted, why, err := next.Apply(e.Offset, []byte(e.Record), func(ref FoldRef) (*State, error) { return p.fold(ctx, ref) })
		if err != nil {
			return last, err
		}
		if !counted || next.Version != s.Version+1 {
			return last, p.damaged(key, fmt.Errorf("it does not follow the one before: %s", why))
		}
		last = &step{s, next, e.Offset, []byte(e.Record)}
		s = next
	}
}

// hasMore reports whether there is an entry or a checkpoint of a later version.
func (p *place) hasMore(ctx context.Context, version int64) (bool, error) {
	after := "" // a server may pass over one that is no key
	if version > none {
		after = p.entryKey(Hits, version)
	}
	for info, err := range p.store.List(ctx, p.logDir(Hits)+"0", after) {
		if err != nil {
			return false, err
		}
		if v, ok := versionOf(logForm, info.Key); ok && v > version {
			return true, nil
		}
	}
	return false, nil
}

// newestFold returns the state of the newest fold after a version, nil if there is none.
func (p *place) newestFold(ctx context.Context, version int64) (*State, error) {
	var newest string
	for info, err := range p.store.List(ctx, p.foldDir(), "") {
		if err != nil {
			return nil, err
		}
		if v, ok := versionOf(foldForm, info.Key); ok && v > version {
			newest = info.Key
		}
	}
	if newest == "" {
		return nil, nil
	}
	sum := strings.TrimSuffix(newest[strings.LastIndexByte(newest, '-')+1:], ".json")
	return p.fold(ctx, FoldRef{newest, sum})
}
