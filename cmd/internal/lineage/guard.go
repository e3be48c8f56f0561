package lineage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/datadir"
	"millrace/emit/lake"
	"millrace/engine"
	"millrace/engine/wire"
	"millrace/internal/kafka"
	"millrace/state"
)

var (
	// errLog is wrapped by the error for a log that ends before what was made of it. Going on
	// would be silent loss: its new records get offsets that count as applied and archived
	// already.
	errLog = errors.New("the log was lost, cut short or made anew")
	// errCluster: state, archive and rollups hold offsets, which mean nothing in another cluster.
	errCluster = errors.New("the data folder belongs to another Kafka cluster")
	// errPrefix: state, archive and rollups hold offsets of other topics of the cluster.
	errPrefix = errors.New("the data folder belongs to the topics of another prefix")
	// errRepartitioned: the state has its sites in the partitions of another number.
	errRepartitioned = errors.New("the number of partitions was changed under live state")
	// errIdentity: the file of the log's identity can't be read, errNewIdentity: a newer version
	// wrote it.
	errIdentity    = errors.New("damaged")
	errNewIdentity = errors.New("of a newer version, or damaged")
	// errGap: going on would leave a hole in the numbers that nothing shows.
	errGap = errors.New("records were deleted before they were read")
	// errChangelog: the state can't be read back.
	errChangelog = errors.New("a record of the changelog can't be read")
)

// isRefusal reports an error that trying again does not cure: it needs an operator's decision.
func isRefusal(err error) bool {
	for _, target := range []error{errLog, errCluster, errPrefix, errRepartitioned, errIdentity, errNewIdentity, errGap, errChangelog,
		engine.ErrBehind, state.ErrCorrupt, lake.ErrGap, lake.ErrLog, lake.ErrProgress, wire.ErrNewer} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// Options are what a Guard compares. There are no defaults: every field that is not said to be
// optional has to be set.
type Options struct {
	Kafka    []kgo.Opt     // how clients reach the cluster; empty in a process without one, which has no Groups either
	Names    kafka.Names   // what topics and groups are called in the cluster
	Embedded bool          // the cluster is the broker in the data folder, not one of --kafka; optional
	Timeout  time.Duration // bounds one comparison, > 0

	Dir        *datadir.Dir      // the data folder, where the identity is kept
	Partitions int32             // of each topic, 1 or more
	Groups     map[string]string // groups of this process' roles, with the topic each reads; none: nothing of the log is kept

	State    func() ([]Mark, error)                // marks of the engine's state; the engine's group alone needs it, like HasState
	HasState func() bool                           // whether there is state of any partition
	Archive  func(context.Context) ([]Mark, error) // marks of the archive, none without that role
	Bucket   bool                                  // the archive is in a bucket of --s3, not in the data folder; optional

	Log *slog.Logger
}

// Mark records that something was made of a partition's records below an offset: its log has to
// end there or behind.
type Mark struct {
	Topic     string
	Partition int32
	Next      int64
	By        string // what knows it, for people
}

// Guard compares the log with what this process keeps of it.
type Guard struct {
	opts     Options
	refusals refusals // stops the roles when the log turns out to be another one
}

// New returns a guard. It does nothing before it is called.
func New(o Options) *Guard { return &Guard{opts: o} }

// CheckCluster compares the cluster and the prefix of names alone, before any topic is made in it. One that can't be
// reached is the business of who makes the topics. The embedded broker's is compared later: a
// folder that was swapped shows better by its log.
func (g *Guard) CheckCluster(ctx context.Context) error {
	old, err := g.readIdentity()
	if err != nil || old == nil {
		return err
	}
	if err := g.samePrefix(old); err != nil || g.opts.Embedded {
		return err
	}
	client, err := g.connect()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, g.opts.Timeout/2)
	defer cancel()
	v := view{topics: map[string]topicView{}}
	if v.describe(ctx, client, g.logTopics()) != nil {
		return nil
	}
	return g.sameCluster(old, v.cluster)
}

// Check compares the log with what this process' roles keep of it, and notes its identity.
func (g *Guard) Check(ctx context.Context) error {
	if len(g.opts.Groups) == 0 {
		return nil // what keeps nothing of the log
	}
	// The marks come first: meanwhile the log can only grow.
	var marks []Mark
	var err error
	if g.counts() {
		if marks, err = g.opts.State(); err != nil {
			return err
		}
	}
	archived, err := g.opts.Archive(ctx)
	if err != nil {
		return err
	}
	old, err := g.readIdentity()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, g.opts.Timeout)
	defer cancel()
	client, err := g.connect()
	if err != nil {
		return err
	}
	defer client.Close()
	return confirmed(ctx, func() error {
		v, err := g.viewLog(ctx, client)
		if err != nil {
			return err
		}
		if err := g.compare(old, v, marks, archived); err != nil {
			return err
		}
		if g.counts() {
			if err := g.checkRecovery(ctx, v, marks); err != nil {
				return err
			}
		}
		return g.writeIdentity(old, g.identityOf(v))
	})
}

// counts reports whether the engine is among the roles.
func (g *Guard) counts() bool { return g.opts.Groups[g.engine()] != "" }

// compare holds the log against the folder's identity, what was made of it, and the groups. A log
// that is shorter is the better word for a folder that was swapped under the embedded broker; of
// a cluster the ids show more.
func (g *Guard) compare(old *identity, v *view, marks, archived []Mark) error {
	same := func() error { return g.sameLog(old, v) }
	reaches := func() error { return g.reachesMarks(v, slices.Concat(marks, archived)) }
	if g.opts.Embedded {
		same, reaches = reaches, same
	}
	if old == nil && len(marks) == 0 {
		if err := g.restored(v, archived); err != nil {
			return err
		}
	}
	if err := same(); err != nil {
		return err
	}
	if err := reaches(); err != nil {
		return err
	}
	if err := g.groupsInside(v); err != nil {
		return err
	}
	return g.nothingUnread(v, archived)
}

// look compares the running log with the folder's identity and the groups' offsets.
func (g *Guard) look(ctx context.Context, client *kgo.Client, gaps bool) error {
	old, err := g.readIdentity()
	if err != nil {
		return err
	}
	v, err := g.viewLog(ctx, client)
	if err != nil {
		return err
	}
	if err := g.sameLog(old, v); err != nil {
		return err
	}
	if err := g.groupsInside(v); err != nil || !gaps {
		return err
	}
	return g.nothingUnread(v, nil)
}

// confirmed is check, called again if it refuses: a broker that has just started may not know a
// topic yet.
func confirmed(ctx context.Context, check func() error) error {
	const pause = time.Second / 2
	err := check()
	if !isRefusal(err) && !kerr.IsRetriable(err) {
		return err
	}
	select {
	case <-time.After(pause):
		return check()
	case <-ctx.Done():
		return err
	}
}

func (g *Guard) connect() (*kgo.Client, error) {
	client, err := kgo.NewClient(g.opts.Kafka...)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	return client, nil
}
