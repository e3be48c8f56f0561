package main

import (
	"context"

	"millrace/emit/local"
	"millrace/emit/parquet"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/replay"
	"millrace/engine/window"
)

// archived is what replay has to know of how far the archive is.
type archived struct {
	partitions int             // of the log; 0 if none was archived
	last       map[int32]int64 // offset that is archived, by partition
}

func readArchived(ctx context.Context, l *parquet.Lake) (*archived, error) {
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

// version is replay's Options.Version: the last offset that the archive has of the partition that a site's shard is in, 0
// where it has none.
func (a *archived) version(site string, shard uint16) int64 {
	if a.partitions == 0 {
		return 0
	}
	return max(a.last[event.Partition(site, shard, int32(a.partitions))], 0)
}

// replaySink returns the rollup store as replay writes it. The local one keeps the windows' versions: a new store is
// filled from the log of windows, whose firings must not undo what replay has put there.
func (s *stores) replaySink() replay.Sink {
	if s.influx != nil {
		return s.influx
	}
	return archivedSink{s.local}
}

type archivedSink struct{ *local.Store }

func (s archivedSink) Replace(ctx context.Context, ws []*window.Window) error {
	return s.ReplaceArchived(ctx, ws)
}
