package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"millrace/cmd/internal/datadir"
)

// folderEvery is how often the folders in use are looked at: what is taken in between is in files
// that are lost.
const folderEvery = time.Second

// look looks at a folder. An error that wraps datadir.ErrGone is for good.
type look func() error

// watchFolders calls looks until ctx ends, and fail with the first folder that is gone. Files
// that are open go on being written when their folder is removed, so that everything seems well
// until the next start. The archive's folder is not looked at, because the archiver makes it
// again, nor the state's: it is read back from the changelog.
func watchFolders(ctx context.Context, looks []look, fail func(error)) error {
	t := time.NewTicker(folderEvery)
	defer t.Stop()
	for {
		for _, look := range looks {
			if err := look(); errors.Is(err, datadir.ErrGone) {
				fail(err)
				<-ctx.Done()
				return nil
			} else if err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// brokerFolder looks at the embedded broker's folder. StartAnew is how an operator begins with an
// empty log.
func brokerFolder(dir string, startAnew func() string) look {
	var w datadir.Watch
	return func() error {
		err := w.Look(dir)
		if errors.Is(err, datadir.ErrGone) {
			return fmt.Errorf("embedded broker: %w; what was taken in is written to the archive now, as far as it can be; put the folder back "+
				"if you can; or, to go on with an empty log, %s", err, startAnew())
		}
		return err
	}
}

// rollupsFolder looks at the local rollup store's folder.
func rollupsFolder(dir string) look {
	var w datadir.Watch
	return func() error {
		err := w.Look(dir)
		if errors.Is(err, datadir.ErrGone) {
			return fmt.Errorf("rollup store: %w; start again: windows that Kafka still holds are written again; run \"millrace replay\" for older ones", err)
		}
		return err
	}
}
