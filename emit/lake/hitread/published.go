package hitread

import (
	"context"
	"slices"
	"sync"

	"millrace/emit/lake/commits"
)

// Published is a Lister of what commits say. It makes a list anew only where something has been committed.
type Published struct {
	reader *commits.Reader

	mu   sync.Mutex
	sums []string // of the states that list is of
	list *List
}

// NewPublished returns the Lister of a reader's snapshots.
func NewPublished(r *commits.Reader) *Published { return &Published{reader: r} }

// List implements Lister. The caller must not change it.
func (p *Published) List(ctx context.Context) (*List, error) {
	s, err := p.reader.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	var sums []string
	for _, state := range s.Partitions {
		sums = append(sums, state.Sum)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.list == nil || !slices.Equal(sums, p.sums) {
		p.list, p.sums = ListOf(s.Partitions), sums
	}
	return p.list, nil
}

// ListOf returns what states consist of.
func ListOf(states []*commits.State) *List {
	l := &List{}
	for _, s := range states {
		if s.Version < 0 {
			continue
		}
		l.Partitions = append(l.Partitions, Partition{ID: s.Partition, Watermark: s.Watermark, Began: s.Began})
		for _, t := range commits.Tables() {
			into := &l.Hits
			if t == commits.Visits {
				into = &l.Visits
			}
			for _, f := range s.Files(t) {
				*into = append(*into, File{
					Key: f.Key, Size: f.Size, Partition: s.Partition, MinTime: f.MinTime, MaxTime: f.MaxTime, MinSite: f.MinSite, MaxSite: f.MaxSite, Day: f.Day,
				})
			}
		}
	}
	return l
}
