package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/lineage"
	"millrace/cmd/internal/roles"
	"millrace/cmd/internal/stores"
	emitinflux "millrace/emit/influx"
	"millrace/emit/lake"
	"millrace/emit/local"
	"millrace/engine"
	"millrace/engine/wire"
	"millrace/internal/kafka"
	"millrace/state"
)

// archiveWait bounds how long a start waits for the archive's progress.
const archiveWait = 3 * time.Second

// kept is what this process keeps of the log: what package lineage compares the log with.
type kept struct {
	dir        *datadir.Dir
	roles      []string
	influx     bool // the rollup store is an InfluxDB
	bucket     bool // the archive is not in the data folder
	embedded   bool // the log is
	names      kafka.Names
	partitions int32
	state      roles.State
	stores     *stores.Set // may be opened after newGuard
	log        *slog.Logger
}

// newGuard returns the guard of what is kept. It makes no request.
func newGuard(k *kept, clients []kgo.Opt) *lineage.Guard {
	return lineage.New(lineage.Options{
		Kafka:      clients,
		Embedded:   k.embedded,
		Timeout:    connectTime,
		Names:      k.names,
		Dir:        k.dir,
		Partitions: k.partitions,
		Groups:     k.groups(),
		State:      k.stateMarks,
		HasState:   k.hasState,
		Archive:    k.archiveMarks,
		Bucket:     k.bucket,
		Log:        k.log,
	})
}

// groups returns the groups of this process' roles, with what they read.
func (k *kept) groups() map[string]string {
	groups := map[string]string{}
	if slices.Contains(k.roles, roles.Process) {
		groups[k.names.Of(engine.Group)] = k.names.Of(engine.EventsTopic)
	}
	if slices.Contains(k.roles, roles.Archive) {
		groups[k.names.Of(lake.Group)] = k.names.Of(engine.EventsTopic)
	}
	if slices.Contains(k.roles, roles.Emit) {
		emit := local.Group
		if k.influx {
			emit = emitinflux.Group
		}
		groups[k.names.Of(emit)] = k.names.Of(engine.WindowsTopic)
	}
	return groups
}

// hasState reports whether there is state of any partition.
func (k *kept) hasState() bool {
	for p := range k.partitions {
		if _, err := os.Stat(k.state.Of(p).Dir); err == nil {
			return true
		}
	}
	return false
}

// stateMarks opens and closes the state of each partition that is there. So damage, too, is an
// error of the start, and not of a processor that fails again and again.
func (k *kept) stateMarks() ([]lineage.Mark, error) {
	var marks []lineage.Mark
	for partition := range k.partitions {
		o := k.state.Of(partition)
		if _, err := os.Stat(o.Dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		s, err := state.Open(o)
		if err != nil {
			return nil, fmt.Errorf("start role %s: %w", roles.Process, err)
		}
		by := fmt.Sprintf("the state in %q", o.Dir)
		marks = append(marks,
			lineage.Mark{Topic: k.names.Of(engine.EventsTopic), Partition: partition, Next: s.Last() + 1, By: by},
			lineage.Mark{Topic: kafka.TableTopic(k.names.Of(engine.Group)), Partition: partition, Next: s.Position(), By: by})
		if err := s.Close(); err != nil {
			return nil, fmt.Errorf("start role %s: %w", roles.Process, err)
		}
	}
	return marks, nil
}

// archiveMarks reads how far the archive is. A bucket that is away for now is no reason not to take
// beacons.
func (k *kept) archiveMarks(ctx context.Context) ([]lineage.Mark, error) {
	if !slices.Contains(k.roles, roles.Archive) {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, archiveWait)
	defer cancel()
	progress, err := lake.NewReader(k.stores.Lake).ProgressOf(ctx, engine.EventsTopic)
	switch {
	case errors.Is(err, lake.ErrProgress), errors.Is(err, wire.ErrNewer):
		return nil, fmt.Errorf("start role %s: %w", roles.Archive, err)
	case err != nil:
		k.log.Warn("the archive can't be compared with the log", "archive", k.stores.Lake.String(), "err", err)
	}
	var marks []lineage.Mark
	for partition := range k.partitions {
		if p, ok := progress[partition]; ok {
			if err := p.CheckPrefix(k.stores.Lake, k.names); err != nil {
				return nil, fmt.Errorf("start role %s: %w", roles.Archive, err)
			}
			by := "the archive in " + k.stores.Lake.String()
			marks = append(marks, lineage.Mark{Topic: k.names.Of(engine.EventsTopic), Partition: partition, Next: p.NextOffset, By: by})
		}
	}
	return marks, nil
}
