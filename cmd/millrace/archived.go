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

// archivedOffset returns replay's Options.Version: the last offset that the archive has of the partition that a site's
// events are in, 0 where it has none.
func archivedOffset(ctx context.Context, l *parquet.Lake) (func(site string) int64, error) {
	all, err := l.Progress(ctx)
	if err != nil {
		return nil, err
	}
	last := map[int32]int64{}
	partitions := int32(0)
	for _, p := range all {
		if p.Topic == engine.EventsTopic {
			last[p.Partition] = p.NextOffset - 1
			partitions = max(partitions, p.Partitions)
		}
	}
	return func(site string) int64 {
		if partitions == 0 {
			return 0
		}
		return max(last[event.Partition(site, 0, partitions)], 0)
	}, nil
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
