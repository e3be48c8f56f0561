package lake

import (
	"context"
	"time"

	"millrace/emit/lake/commits"
)

// orphansEvery is how often it is looked for files that no commit names: leftovers of crashes.
const orphansEvery = 24 * time.Hour

// sweep deletes files that were replaced long enough ago, and returns keys for the next commit to forget. What can't be deleted stays for
// the next time: it is in nobody's way.
func (h *partitionHits) sweep(ctx context.Context) (deleted []string) {
	if h.sweeper == nil {
		h.sweeper = commits.NewSweeper(commits.SweepOptions{Grace: h.o.Grace, Now: h.p.a.o.now})
	}
	deleted, err := h.sweeper.Sweep(ctx, h.chain)
	if err != nil && ctx.Err() == nil {
		h.p.a.o.Log.Warn("files that merges have replaced can't be deleted; it is tried again", "partition", h.p.id, "err", err)
	}
	h.p.a.stats.swept.Add(int64(len(deleted)))
	if now := h.p.a.o.now(); err == nil && now.Sub(h.orphans) >= orphansEvery {
		h.orphans = now
		n, err := h.sweeper.Orphans(ctx, h.chain)
		h.p.a.stats.swept.Add(int64(n))
		if err != nil && ctx.Err() == nil {
			h.p.a.o.Log.Warn("files that nothing names can't be deleted; it is tried again tomorrow", "partition", h.p.id, "err", err)
		}
	}
	return deleted
}
