package lake

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"millrace/emit/lake/commits"
	"millrace/internal/blob"
)

// Imports returns the topics of the files that are imported whole, sorted.
func Imports(ctx context.Context, store blob.Store) (topics []string, err error) {
	for _, prefix := range []string{progressPrefix, oldProgressPrefix} {
		for info, err := range store.List(ctx, prefix+ImportPrefix, "") {
			if err != nil {
				return nil, err
			}
			if partition, _, ok := parseProgressKey(info.Key); ok {
				topics = append(topics, partition[:strings.LastIndexByte(partition, '-')])
			}
		}
	}
	slices.Sort(topics)
	return slices.Compact(topics), nil
}

// IsImport reports whether a topic is that of an imported file.
func IsImport(topic string) bool { return strings.HasPrefix(topic, ImportPrefix) }

// HasImportedHits reports whether the archive has, or had, hits of imported files.
func HasImportedHits(ctx context.Context, store blob.Store) (bool, error) {
	for _, err := range store.List(ctx, commits.Dir(commits.Hits, commits.ImportsTopic, 0), "") {
		return err == nil, err
	}
	return false, nil
}

// Lacks reports whether some of the topics of Imports are not among those that have hits: a build before has imported them, or their
// import was cut off behind their events.
func Lacks(withHits, topics []string) bool {
	return slices.ContainsFunc(topics, func(t string) bool {
		_, found := slices.BinarySearch(withHits, t)
		return !found
	})
}

// importsEvery is how often it is looked for files of imports that were replaced.
const importsEvery = 10 * time.Minute

// sweepImports deletes files of hits of imports that were replaced long enough ago: an import is at an end before that. It does so where
// the first partition is this process's, until ctx is done.
func (a *Archiver) sweepImports(ctx context.Context) {
	var chain *commits.Chain
	sweeper := commits.NewSweeper(commits.SweepOptions{Now: a.o.now})
	var orphans time.Time
	for {
		if a.HitsState(0) != nil {
			if err := a.sweepImportsOnce(ctx, &chain, sweeper, &orphans); err != nil && ctx.Err() == nil {
				a.o.Log.Warn("hits of imports that were replaced can't be deleted; it is tried again", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(importsEvery):
		}
	}
}

func (a *Archiver) sweepImportsOnce(ctx context.Context, chain **commits.Chain, sweeper *commits.Sweeper, orphans *time.Time) (err error) {
	if *chain == nil {
		if *chain, err = openImports(ctx, a.o.Store, a.o.Log); err != nil {
			*chain = nil
			return err
		}
	} else if err := (*chain).Refresh(ctx); err != nil {
		return err
	}
	c := *chain
	deleted, err := sweeper.Sweep(ctx, c)
	a.stats.swept.Add(int64(len(deleted)))
	if err == nil && a.o.now().Sub(*orphans) >= orphansEvery {
		*orphans = a.o.now()
		var n int
		n, err = sweeper.Orphans(ctx, c)
		a.stats.swept.Add(int64(n))
	}
	if len(deleted) > 0 {
		change := c.State().Change()
		change.Deleted = deleted
		if _, e := c.Commit(ctx, change); err == nil {
			err = e
		}
	}
	return err
}

// EraseImported has visitors erased from the hits of imported files, all of them: no query shows them any more. Their files are written again
// when their days are, by an import or a replay, which is of raw rows that have none.
func EraseImported(ctx context.Context, store blob.Store, list []commits.Erasure, log *slog.Logger) error {
	has, err := HasImportedHits(ctx, store)
	if err != nil || !has {
		return err
	}
	chain, err := openImports(ctx, store, log)
	if err != nil {
		return err
	}
	for {
		change := chain.State().Change()
		for _, e := range list {
			if chain.State().Lacks(&e) {
				change.Erase = append(change.Erase, e)
			}
		}
		if len(change.Erase) == 0 {
			return nil
		}
		if counted, err := chain.Commit(ctx, change); err != nil || counted {
			return err
		}
	}
}
