package hitread

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"millrace/emit/lake/commits"
	"millrace/internal/blob"
)

// Published is a Lister of what commits say. It makes a list anew only where something has been committed.
type Published struct {
	store blob.Store
	topic string
	given int32

	imports *commits.Reader

	mu     sync.Mutex
	reader *commits.Reader // of partitions
	partitions,
	looked int64 // how many there are, and when that was found out, in Unix seconds
	sums []string // of the states that list is of
	list *List
}

// NewPublished returns the Lister of what is committed of a topic of events, by the name that the archive has of it. Partitions
// is the number of its partitions, 0 if it is not known: then folders are looked at.
func NewPublished(store blob.Store, topic string, partitions int32) *Published {
	imports := commits.NewReader(commits.ReaderOptions{Store: store, Topic: commits.ImportsTopic, Partitions: 1})
	return &Published{store: store, topic: topic, given: partitions, imports: imports}
}

// lookEvery is how often, in seconds, folders are looked at: a partition may have had no event yet.
const lookEvery = 60

// List implements Lister. The caller must not change it.
func (p *Published) List(ctx context.Context) (*List, error) {
	r, err := p.readerOf(ctx)
	if err != nil {
		return nil, err
	}
	s, err := r.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	i, err := p.imports.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	states := append(slices.Clone(s.Partitions), i.Partitions...)
	var sums []string
	for _, state := range states {
		sums = append(sums, state.Sum)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.list == nil || !slices.Equal(sums, p.sums) {
		p.list, p.sums = ListOf(states), sums
	}
	return p.list, nil
}

// readerOf returns a reader of all partitions.
func (p *Published) readerOf(ctx context.Context) (*commits.Reader, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, now := int64(p.given), time.Now().Unix()
	if n == 0 && (p.reader == nil || now-p.looked >= lookEvery) {
		found, err := p.count(ctx)
		if err != nil {
			return nil, err
		}
		n, p.looked = max(found, p.partitions), now
	}
	if p.reader == nil || n > p.partitions {
		p.partitions = n
		p.reader = commits.NewReader(commits.ReaderOptions{Store: p.store, Topic: p.topic, Partitions: int32(n)})
	}
	return p.reader, nil
}

// count returns how many partitions have a folder, or more, if there is one of a later partition: with a request for each.
func (p *Published) count(ctx context.Context) (n int64, err error) {
	prefix := strings.TrimSuffix(commits.Dir(commits.Hits, p.topic, 0), "0/")
	for after := ""; ; {
		next := ""
		for info, err := range p.store.List(ctx, prefix, after) {
			if err != nil {
				return 0, fmt.Errorf("look for partitions: %w", err)
			}
			next = info.Key
			break
		}
		number, _, _ := strings.Cut(strings.TrimPrefix(next, prefix), "/")
		if next == "" {
			return n, nil
		}
		if id, err := strconv.ParseInt(number, 10, 32); err == nil {
			n = max(n, id+1)
		}
		after = prefix + number + "0" // what follows all that begins with number and a slash
	}
}

// ListOf returns what states consist of.
func ListOf(states []*commits.State) *List {
	l := &List{Erased: map[int32][]commits.Erasure{}}
	for _, s := range states {
		if s.Version < 0 {
			continue
		}
		id := s.Partition
		if s.Topic == commits.ImportsTopic {
			id, l.Imported = Imports, s.Imports
		} else {
			l.Partitions = append(l.Partitions, Partition{ID: id, Watermark: s.Watermark, Began: s.Began})
		}
		l.Erased[id] = s.Erasures()
		for _, t := range commits.Tables() {
			into := &l.Hits
			if t == commits.Visits {
				into = &l.Visits
			}
			for _, f := range s.Files(t) {
				*into = append(*into, File{
					Key: f.Key, Size: f.Size, Partition: id, MinTime: f.MinTime, MaxTime: f.MaxTime, MinSite: f.MinSite, MaxSite: f.MaxSite, Day: f.Day,
				})
			}
		}
	}
	return l
}
