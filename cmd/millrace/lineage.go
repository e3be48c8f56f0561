package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"millrace/cmd/internal/lineage"
	"millrace/cmd/internal/supervise"
	emitinflux "millrace/emit/influx"
	"millrace/emit/local"
	"millrace/emit/parquet"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/internal/kafka"
	"millrace/state"
)

// archiveWait bounds how long the start waits for the archive's progress.
const archiveWait = 3 * time.Second

// makeGuard tells package lineage what this process keeps of the log.
func (n *node) makeGuard(context.Context) error {
	f := n.flags
	n.guard = lineage.New(lineage.Options{
		Kafka:      n.clients,
		Embedded:   len(f.Kafka) == 0,
		Timeout:    connectTime,
		Dir:        n.dir,
		Partitions: f.Partitions,
		Groups:     n.groupTopics(),
		State:      n.stateMarks,
		HasState:   n.hasState,
		Archive:    n.archiveMarks,
		Bucket:     f.S3 != "",
		Log:        n.log,
	})
	return nil
}

// checkLog compares the log with what this process' roles keep of it.
func (n *node) checkLog(ctx context.Context) error { return n.guard.Check(ctx) }

// startWatch has the log compared while the roles run.
func (n *node) startWatch() {
	watch := supervise.Start(context.Background(), "watch", n.log, n.guard.Watch)
	n.onStop("watch", func() error { watch.Stop(); return nil })
}

// groupTopics are the groups of this process' roles, with what they read.
func (n *node) groupTopics() map[string]string {
	groups := map[string]string{}
	if n.flags.has(roleProcess) {
		groups[engine.Group] = engine.EventsTopic
	}
	if n.flags.has(roleArchive) {
		groups[parquet.Group] = engine.EventsTopic
	}
	if n.flags.has(roleEmit) {
		emit := local.Group
		if n.flags.Influx != "" {
			emit = string(emitinflux.Group)
		}
		groups[emit] = engine.WindowsTopic
	}
	return groups
}

// stateOptions are those of a partition's state.
func (n *node) stateOptions(partition int32) state.Options {
	return state.Options{
		Dir:    filepath.Join(n.dir.State(), "partition-"+strconv.Itoa(int(partition))),
		Limit:  valuesPerFamily,
		Visits: n.flags.rules().Visits(),
		Life:   n.stateLife(),
	}
}

// stateLife is how long a record can matter to the state: what the rules say, and what collectors lag.
func (n *node) stateLife() event.Time { return n.flags.rules().Life() + 5*event.Minute }

// hasState tells whether there is state of any partition.
func (n *node) hasState() bool {
	for p := range n.flags.Partitions {
		if _, err := os.Stat(n.stateOptions(p).Dir); err == nil {
			return true
		}
	}
	return false
}

// stateMarks opens and closes the state of each partition that is there, so that damage, too, is told at the start, to
// whoever started it, and not by a processor that fails again and again.
func (n *node) stateMarks() ([]lineage.Mark, error) {
	var marks []lineage.Mark
	for partition := range n.flags.Partitions {
		o := n.stateOptions(partition)
		if _, err := os.Stat(o.Dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		s, err := state.Open(o)
		if err != nil {
			return nil, fmt.Errorf("start role %s: %w", roleProcess, err)
		}
		by := fmt.Sprintf("the state in %q", o.Dir)
		marks = append(marks,
			lineage.Mark{Topic: engine.EventsTopic, Partition: partition, Next: s.Last() + 1, By: by},
			lineage.Mark{Topic: kafka.TableTopic(engine.Group), Partition: partition, Next: s.Position(), By: by})
		if err := s.Close(); err != nil {
			return nil, fmt.Errorf("start role %s: %w", roleProcess, err)
		}
	}
	return marks, nil
}

// archiveMarks reads how far the archive is. A bucket that is away for now is no reason not to take beacons.
func (n *node) archiveMarks(ctx context.Context) ([]lineage.Mark, error) {
	if !n.flags.has(roleArchive) {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, archiveWait)
	defer cancel()
	progress, err := parquet.NewLake(n.stores.lake).ProgressOf(ctx, engine.EventsTopic)
	switch {
	case errors.Is(err, parquet.ErrProgress):
		return nil, fmt.Errorf("start role %s: %w", roleArchive, err)
	case err != nil:
		n.log.Warn("the archive can't be compared with the log", "archive", n.stores.lake.String(), "err", err)
	}
	var marks []lineage.Mark
	for partition := range n.flags.Partitions {
		if p, ok := progress[partition]; ok {
			marks = append(marks, lineage.Mark{Topic: engine.EventsTopic, Partition: partition, Next: p.NextOffset, By: "the archive in " + n.stores.lake.String()})
		}
	}
	return marks, nil
}
