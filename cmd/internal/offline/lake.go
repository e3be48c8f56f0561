package offline

import (
	"context"
	"errors"

	"millrace/emit/lake"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/replay"
	"millrace/internal/blob"
)

// Lake is the archive as package replay reads it.
type Lake struct{ *lake.Reader }

var _ replay.Lake = Lake{}

// NewLake returns the archive in a store.
func NewLake(store blob.Store) Lake { return Lake{lake.NewReader(store)} }

// Files returns the files of the hours in [from, to).
func (l Lake) Files(ctx context.Context, from, to event.Time) ([]replay.File, error) {
	hours, err := l.Reader.Hours(ctx, from, to)
	var files []replay.File
	for _, h := range hours {
		for _, k := range h.Keys {
			files = append(files, replay.File(k))
		}
	}
	return files, err
}

// ReadSegment calls fn for each event of the files.
func (l Lake) ReadSegment(ctx context.Context, files []replay.File, site string,
	fn func(e *event.Event, offset int64, index int) error) error {
	keys := make([]lake.Key, len(files))
	for i, f := range files {
		keys[i] = lake.Key(f)
	}
	return l.Reader.ReadSegment(ctx, keys, site, func(e *event.Event, s lake.Source) error {
		return fn(e, s.Offset, int(s.Index))
	})
}

// LastReceived returns when the last event of a file was received.
func (l Lake) LastReceived(ctx context.Context, f replay.File) (event.Time, error) {
	return l.Reader.LastReceived(ctx, lake.Key(f))
}

// Began returns when the archive of the stream began.
func (l Lake) Began(ctx context.Context) (event.Time, error) {
	return l.Reader.Began(ctx, engine.EventsTopic)
}

// KeptFrom returns from where on numbers of sites are compared and written: as given, which may be nil, and not from before what the
// archive gives exactly, since the retention of sites has deleted events there. It is nil if both have no end.
func (l Lake) KeptFrom(ctx context.Context, given func(site string) event.Time) (func(site string) event.Time, error) {
	gone, err := l.Reader.Expired(ctx)
	if err != nil || !gone.Any() {
		return given, err
	}
	return func(site string) event.Time {
		from := gone.KeptFrom(site)
		if given != nil {
			from = max(from, given(site))
		}
		return from
	}, nil
}

// CompleteUntil is false only where no stream was ever archived; one of which a partition has not
// begun is complete until the beginning of time.
func (l Lake) CompleteUntil(ctx context.Context) (event.Time, bool, error) {
	until, err := l.Reader.CompleteUntil(ctx, engine.EventsTopic)
	if !errors.Is(err, lake.ErrIncomplete) {
		return until, err == nil, err
	}
	all, err := l.Reader.Progress(ctx)
	if err != nil {
		return 0, false, err
	}
	for _, p := range all {
		if p.Topic == engine.EventsTopic {
			return 0, true, nil
		}
	}
	return 0, false, nil
}

// archived is what replay has to know of how far the archive is.
type archived struct {
	partitions int             // of the log; 0 if none was archived
	last       map[int32]int64 // offset that is archived, by partition
}

func readArchived(ctx context.Context, l Lake) (*archived, error) {
	of, err := l.ProgressOf(ctx, engine.EventsTopic)
	if err != nil {
		return nil, err
	}
	a := &archived{last: map[int32]int64{}}
	for partition, p := range of {
		a.last[partition] = p.NextOffset - 1
		a.partitions = max(a.partitions, int(p.Partitions))
	}
	return a, nil
}

// version is replay's Options.Version: the last offset that the archive has of the partition that a
// site's shard is in, 0 where it has none.
func (a *archived) version(site string, shard uint16) int64 {
	if a.partitions == 0 {
		return 0
	}
	return max(a.last[event.Partition(site, shard, int32(a.partitions))], 0)
}
