package hitread

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"millrace/emit/lake/commits"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/internal/blob"
)

// File is one file of an archive.
type File struct {
	// Key is the object's, Size its length in bytes.
	Key  string
	Size int64
	// Partition is that of the log; Imports of imported files.
	Partition int32
	// MinTime and MaxTime are the first and the last time of its rows, both included; of a file of visits that of their
	// beginnings, but for those of joins. MinSite and MaxSite are the first and the last site.
	MinTime, MaxTime event.Time
	MinSite, MaxSite string
	// Day is the beginning of the UTC day of a file of visits, which is that of the beginnings of its joins.
	Day event.Time
}

// List is what an archive consists of at one time.
type List struct {
	Hits   []File
	Visits []File
	// Partitions are those of the log that there is something of.
	Partitions []Partition
	// Imported are the topics of imported files whose events have hits, sorted.
	Imported []string
	// Erased are, by partition, visitors of whom some rows are not given: lists by site and visitor.
	Erased map[int32][]commits.Erasure
}

// Imports is the Partition of all files of imported events. Their visits have rows, all of them, and are of no visit of the log.
const Imports int32 = -1

// Partition is how far the hits of a partition of the log reach.
type Partition struct {
	ID int32
	// Watermark is that behind the last record that there are hits of, Began the time from which on they are whole.
	Watermark, Began event.Time
}

// Lister knows what an archive consists of now.
type Lister interface {
	List(ctx context.Context) (*List, error)
}

// Options of an Archive.
type Options struct {
	// Store holds the files, Lister knows which of them count. Required.
	Store  blob.Store
	Lister Lister
	// VisitLength is the longest visit, and VisitSettles how long after its last event a visit has its row at the latest: its
	// timeout and the lateness. Default 12 h and 90 min.
	VisitLength, VisitSettles event.Time
	// Imported reports whether the archive has imported files that are none of those which have hits. Nil: it has none.
	Imported func(ctx context.Context, withHits []string) bool
	// OpenFiles is the number of files whose footers are remembered, default 4,096: some 20 to 100 KB each.
	OpenFiles int
	// CacheBytes is how much is kept of the files of a store that is no folder, default 256 MB.
	CacheBytes int64
}

// Archive reads the files of hits and visits in a store. Any number of goroutines may use it.
//
// What it is made of is behind an interface: every package that sees an Archive would compile the generic types of open files once
// more.
type Archive struct {
	inner interface {
		Snapshot(ctx context.Context) (hits.Snapshot, error)
	}
}

// archive is what an Archive holds.
type archive struct {
	o     Options
	files footers
	cache *cache // nil of a folder: the system has one
	reads counter
	// memories are those that no query uses.
	memories sync.Pool
}

// New returns an Archive. It reads nothing yet.
func New(o Options) (*Archive, error) {
	if o.Store == nil || o.Lister == nil {
		return nil, errors.New("make reader of hits: no store or no list of files is given")
	}
	o.VisitLength = cmp.Or(o.VisitLength, 12*event.Hour)
	o.VisitSettles = cmp.Or(o.VisitSettles, 90*event.Minute)
	o.OpenFiles = cmp.Or(o.OpenFiles, 4096)
	a := &archive{o: o, files: newFooters(o.OpenFiles), memories: sync.Pool{New: func() any { return new(memory) }}}
	if _, local := o.Store.(*blob.Folder); !local {
		a.cache = newCache(cmp.Or(o.CacheBytes, 256<<20))
	}
	return &Archive{a}, nil
}

// Snapshot returns what the archive holds now.
func (a *Archive) Snapshot(ctx context.Context) (hits.Snapshot, error) { return a.inner.Snapshot(ctx) }

func (a *archive) Snapshot(ctx context.Context) (hits.Snapshot, error) {
	list, err := a.o.Lister.List(ctx)
	if err != nil {
		return nil, err
	}
	extent := list.extent()
	extent.Imported = a.o.Imported != nil && a.o.Imported(ctx, list.Imported)
	return &snapshot{a: a, list: list, extent: extent}, nil
}

func (l *List) extent() hits.Extent {
	e := hits.Extent{Partitions: len(l.Partitions), Last: -1}
	for i := range l.Partitions {
		p := &l.Partitions[i]
		if i == 0 || p.Watermark < e.Watermark {
			e.Watermark = p.Watermark
		}
		e.Began = max(e.Began, p.Began)
	}
	for i := range l.Hits {
		f := &l.Hits[i]
		if i == 0 {
			e.First = f.MinTime
		}
		e.First, e.Last = min(e.First, f.MinTime), max(e.Last, f.MaxTime)
	}
	return e
}

// snapshot implements hits.Snapshot.
type snapshot struct {
	a      *archive
	list   *List
	extent hits.Extent
}

func (s *snapshot) Extent() hits.Extent { return s.extent }

// selected returns the files that may hold rows of a site with a time in [from, to).
func selected(files []File, site string, from, to event.Time) []File {
	var list []File
	for i := range files {
		f := &files[i]
		if f.MinSite <= site && site <= f.MaxSite && f.MinTime < to && from <= f.MaxTime {
			list = append(list, *f)
		}
	}
	// The largest first, so that workers end together.
	slices.SortStableFunc(list, func(x, y File) int { return cmp.Compare(y.Size, x.Size) })
	return list
}
