package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/emit/parquet"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/internal/kafka"
	"millrace/state"
)

// errLog is wrapped by the error for a log that ends before what was made of it. Going on would be silent loss: its new
// records get offsets that count as applied and archived already.
var errLog = errors.New("the log was lost, cut short or made anew")

// archiveWait bounds how long the start waits for the archive's progress.
const archiveWait = 3 * time.Second

// mark says that something was made of a partition's records below an offset: its log has to end there or behind.
type mark struct {
	topic     string
	partition int32
	next      int64
	by        string // what knows it
}

// checkLog compares the log with what this process' roles keep of it.
func (n *node) checkLog(ctx context.Context) error {
	if !n.flags.has(roleProcess) && !n.flags.has(roleArchive) && !n.flags.has(roleEmit) {
		return nil // what keeps nothing of the log
	}
	// The marks come first: meanwhile the log can only grow.
	marks, err := n.stateMarks()
	if err != nil {
		return fmt.Errorf("start role %s: %w", roleProcess, err)
	}
	archived, err := n.archiveMarks(ctx)
	if err != nil {
		return fmt.Errorf("start role %s: %w", roleArchive, err)
	}
	old, err := n.readIdentity()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	client, err := kgo.NewClient(n.clients...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	return confirmed(ctx, func() error {
		v, err := n.viewLog(ctx, client)
		if err != nil {
			return err
		}
		if err := n.compare(old, v, marks, archived); err != nil {
			return err
		}
		if n.flags.has(roleProcess) {
			if err := n.checkRecovery(ctx, v, marks); err != nil {
				return err
			}
		}
		return n.writeIdentity(old, identityOf(v))
	})
}

// compare holds the log against the folder's identity, what was made of it, and the groups. A log that is shorter is the better
// word for a folder that was swapped under the embedded broker; of a cluster the ids say more.
func (n *node) compare(old *identity, v *logView, marks, archived []mark) error {
	same := func() error { return n.sameLog(old, v) }
	reaches := func() error { return n.reachesMarks(v, slices.Concat(marks, archived)) }
	if len(n.flags.Kafka) == 0 {
		same, reaches = reaches, same
	}
	if err := same(); err != nil {
		return err
	}
	if err := reaches(); err != nil {
		return err
	}
	if err := n.groupsInside(v); err != nil {
		return err
	}
	return n.nothingUnread(v, archived)
}

// reachesMarks returns an error if the log ends before what was made of it.
func (n *node) reachesMarks(v *logView, marks []mark) error {
	ends := map[string]map[int32]int64{}
	for name, t := range v.topics {
		ends[name] = t.ends
	}
	ofTopic := func(topic string) []mark {
		return slices.DeleteFunc(slices.Clone(marks), func(m mark) bool { return m.topic != topic })
	}
	if lost := firstBehind(ofTopic(engine.EventsTopic), ends); lost != nil {
		return fmt.Errorf("%w; %s", lost, n.waysOut())
	}
	if lost := firstBehind(ofTopic(kafka.TableTopic(engine.Group)), ends); lost != nil {
		return fmt.Errorf("%w; %s", lost, n.changelogWaysOut())
	}
	return nil
}

// firstBehind returns an error about the first mark that the log does not reach, or nil.
func firstBehind(marks []mark, ends map[string]map[int32]int64) error {
	var first *mark
	count := 0
	for i, m := range marks {
		if ends[m.topic][m.partition] >= m.next {
			continue
		}
		if count++; first == nil {
			first = &marks[i]
		}
	}
	if first == nil {
		return nil
	}
	more := ""
	if count > 1 {
		more = fmt.Sprintf(" (and %d more such findings)", count-1)
	}
	return fmt.Errorf("%w: topic %s, partition %d ends at offset %d, but %s has got to offset %d%s",
		errLog, first.topic, first.partition, ends[first.topic][first.partition], first.by, first.next, more)
}

// waysOut is what an operator can do about errLog.
func (n *node) waysOut() string {
	if len(n.flags.Kafka) == 0 {
		return fmt.Sprintf("put %s back as it was; or, to go on with an empty log, %s", n.dir.Broker(), n.startAnew())
	}
	return "put the topic back as it was; or, to go on with an empty log, " + n.startAnew()
}

// startAnew is how an operator begins with an empty log and the old numbers.
func (n *node) startAnew() string {
	f := n.flags
	archive := `move the data folder away (but keep its "secret")`
	from := "file://OLD-FOLDER/lake"
	if f.S3 != "" {
		archive += ` and give the archive a new prefix with --s3`
		from = "OLD-ADDRESS"
	}
	replay := fmt.Sprintf(`; "millrace replay --s3 %s" then computes the old numbers again`, from)
	if len(f.Kafka) == 0 {
		return archive + replay
	}
	return fmt.Sprintf("stop all processes, delete the topics %s, %s and %s, and %s%s",
		engine.EventsTopic, engine.WindowsTopic, kafka.TableTopic(engine.Group), archive, replay)
}

// resetGroup is how an operator has the engine read the log from its beginning. An offset set to the beginning would not do: where
// the first records have expired it says that those before it are in the state.
func (n *node) resetGroup() string {
	if len(n.flags.Kafka) == 0 {
		return "delete " + filepath.Join(n.dir.Broker(), "groups.log")
	}
	return fmt.Sprintf(`run "kafka-consumer-groups --delete --group %s"`, engine.Group)
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

// stateMarks opens and closes the state of each partition that is there, so that damage, too, is told at the start, to
// whoever started it, and not by a processor that fails again and again.
func (n *node) stateMarks() ([]mark, error) {
	if !n.flags.has(roleProcess) {
		return nil, nil
	}
	var marks []mark
	for partition := range n.flags.Partitions {
		o := n.stateOptions(partition)
		if _, err := os.Stat(o.Dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		s, err := state.Open(o)
		if err != nil {
			return nil, err
		}
		by := fmt.Sprintf("the state in %q", o.Dir)
		marks = append(marks,
			mark{engine.EventsTopic, partition, s.Last() + 1, by},
			mark{kafka.TableTopic(engine.Group), partition, s.Position(), by})
		if err := s.Close(); err != nil {
			return nil, err
		}
	}
	return marks, nil
}

// archiveMarks reads how far the archive is. A bucket that is away for now is no reason not to take beacons.
func (n *node) archiveMarks(ctx context.Context) ([]mark, error) {
	if !n.flags.has(roleArchive) {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, archiveWait)
	defer cancel()
	progress, err := parquet.NewLake(n.stores.lake).ProgressOf(ctx, engine.EventsTopic)
	switch {
	case errors.Is(err, parquet.ErrProgress):
		return nil, err
	case err != nil:
		n.log.Warn("the archive can't be compared with the log", "archive", n.stores.lake.String(), "err", err)
	}
	var marks []mark
	for partition := range n.flags.Partitions {
		if p, ok := progress[partition]; ok {
			marks = append(marks, mark{engine.EventsTopic, partition, p.NextOffset, "the archive in " + n.stores.lake.String()})
		}
	}
	return marks, nil
}

// stateLife is how long a record can matter to the state: what the rules say, and what collectors lag.
func (n *node) stateLife() event.Time { return n.flags.rules().Life() + 5*event.Minute }
