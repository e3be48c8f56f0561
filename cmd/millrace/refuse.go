package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/emit/parquet"
	"millrace/engine"
	"millrace/engine/delta"
	"millrace/internal/kafka"
	"millrace/state"
)

var (
	// errGap: going on would leave a hole in the numbers that nothing shows.
	errGap = errors.New("records were deleted before they were read")
	// errChangelog: the state can't be read back.
	errChangelog = errors.New("a record of the changelog can't be read")
)

// watchEvery is how often the log is looked at while roles run.
const watchEvery = 3 * time.Second

// isRefusal tells an error that trying again does not cure: it needs an operator's decision.
func isRefusal(err error) bool {
	for _, target := range []error{errLog, errCluster, errRepartitioned, errIdentity, errGap, errChangelog,
		engine.ErrBehind, state.ErrCorrupt, parquet.ErrGap, parquet.ErrLog, parquet.ErrProgress} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// refusals stops roles for good. Its zero value is ready.
type refusals struct {
	mu      sync.Mutex // guards what follows
	why     error
	cancels map[*context.CancelCauseFunc]struct{}
}

// stop ends every role that runs, and those that start later.
func (r *refusals) stop(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.why != nil {
		return
	}
	r.why = why
	for cancel := range r.cancels {
		(*cancel)(why)
	}
}

// context is ctx until stop.
func (r *refusals) context(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.why != nil {
		cancel(r.why)
	}
	if r.cancels == nil {
		r.cancels = map[*context.CancelCauseFunc]struct{}{}
	}
	r.cancels[&cancel] = struct{}{}
	return ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.cancels, &cancel)
		cancel(nil)
	}
}

// refusing wraps a role: once it ends for a reason that trying again does not cure, it says so and stays away until the process
// stops, instead of failing for ever. Refused is called then.
func (n *node) refusing(name string, run func(context.Context) error, refused func()) func(context.Context) error {
	return func(ctx context.Context) error {
		inner, end := n.refusals.context(ctx)
		defer end()
		err := run(inner)
		if ctx.Err() != nil {
			return err
		}
		why := context.Cause(inner)
		if why == nil {
			why = n.diagnose(ctx, err)
		}
		if !isRefusal(why) {
			return err
		}
		refused()
		n.log.Error("role stopped: it can't go on without you", "task", name, "err", oneLine(why))
		<-ctx.Done()
		return nil
	}
}

// oneLine is the text of an error without the line breaks that lists of errors come with.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// diagnose looks for the reason behind a role's error.
func (n *node) diagnose(ctx context.Context, err error) error {
	if err == nil || isRefusal(err) {
		return err
	}
	// goka passes on the text of an error in recovery, not the error.
	if strings.Contains(err.Error(), delta.ErrDelta.Error()) || strings.Contains(err.Error(), state.ErrChain.Error()) {
		return fmt.Errorf("%w: %w; %s", errChangelog, err, n.badChangelogWaysOut())
	}
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	client, clientErr := kgo.NewClient(n.clients...)
	if clientErr != nil {
		return err
	}
	defer client.Close()
	if why := confirmed(ctx, func() error { return n.look(ctx, client, true) }); isRefusal(why) {
		return why
	}
	return err
}

// confirmed is check, asked again if it refuses: a broker that has just started may not know a topic yet.
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

// look compares the running log with the folder's identity and the groups' offsets.
func (n *node) look(ctx context.Context, client *kgo.Client, gaps bool) error {
	old, err := n.readIdentity()
	if err != nil {
		return err
	}
	v, err := n.viewLog(ctx, client)
	if err != nil {
		return err
	}
	if err := n.sameLog(old, v); err != nil {
		return err
	}
	if err := n.groupsInside(v); err != nil || !gaps {
		return err
	}
	return n.nothingUnread(v, nil)
}

// groupsInside finds committed offsets behind the end of the log.
func (n *node) groupsInside(v *logView) error {
	topics := n.groupTopics()
	for _, group := range slices.Sorted(maps.Keys(topics)) {
		topic := topics[group]
		t, there := v.topics[topic]
		for _, p := range n.partitionNumbers() {
			next, committed := v.groups[group][p]
			if !there || !committed || next <= t.ends[p] {
				continue
			}
			out := n.waysOut()
			if topic == engine.WindowsTopic {
				out = fmt.Sprintf(`stop, %s, start, and run "millrace replay" later, for the windows that were lost with it`, n.forgetGroup(group))
			}
			return fmt.Errorf("%w: topic %s, partition %d ends at offset %d, but group %s has got to offset %d; %s", errLog, topic, p, t.ends[p], group, next, out)
		}
	}
	return nil
}

// nothingUnread finds groups, and an archive, that have not got to the beginning of the log: what was between is lost to them. It is
// not for a log that is being read: members may be ahead of what they have committed.
func (n *node) nothingUnread(v *logView, archived []mark) error {
	var gap string // the first
	found := func(topic string, p int32, by string, next int64) bool {
		start := v.topics[topic].starts[p]
		if next < start {
			gap = cmp.Or(gap, fmt.Sprintf("topic %s, partition %d begins at offset %d, but %s has only got to offset %d", topic, p, start, by, next))
		}
		return next < start
	}
	var cure []string
	var behind []string
	topics := n.groupTopics()
	for _, group := range slices.Sorted(maps.Keys(topics)) {
		for p, next := range v.groups[group] {
			if found(topics[group], p, "group "+group, next) && !slices.Contains(behind, group) {
				behind = append(behind, group)
			}
		}
	}
	if len(behind) > 0 {
		cure = append(cure, n.forgetGroup(behind...))
	}
	for _, m := range archived {
		if found(m.topic, m.partition, m.by, m.next) {
			cure = append(cure, fmt.Sprintf(`delete the archive's "_progress/%s-%d-*.json"`, m.topic, m.partition))
		}
	}
	if gap == "" {
		return nil
	}
	return fmt.Errorf("%w: %s: they have expired in an outage longer than --retention, or somebody deleted them; to go on with what is left, stop, %s, "+
		"start; the minutes of what was deleted stay incomplete", errGap, gap, strings.Join(cure, ", "))
}

// startWatch looks at the log every few seconds, because a topic that is made anew shows itself by no error until it is as long
// as the old one was.
func (n *node) startWatch() error {
	client, err := kgo.NewClient(n.clients...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	n.onStop("watch", func() error { cancel(); <-done; client.Close(); return nil })
	go func() {
		defer close(done)
		t := time.NewTicker(watchEvery)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
			}
			once, end := context.WithTimeout(ctx, connectTime)
			err := confirmed(once, func() error { return n.look(once, client, false) })
			end()
			if isRefusal(err) {
				n.refusals.stop(err)
				return
			}
			if err != nil && ctx.Err() == nil {
				n.log.Debug("the log can't be looked at", "err", err)
			}
		}
	}()
	return nil
}

// changelogWaysOut is what can be done when the changelog is lost and the events are not.
func (n *node) changelogWaysOut() string {
	return fmt.Sprintf(`put it back as it was; or stop, delete %s and %s, start: the events that the log has are counted again, to the same numbers; `+
		`and run "millrace replay" later, for the minutes that it has only a part of`, n.dir.State(), n.resetGroup())
}

// badChangelogWaysOut is what can be done about errChangelog.
func (n *node) badChangelogWaysOut() string {
	remove := fmt.Sprintf(`run "kafka-topics --delete --topic %s"`, kafka.TableTopic(engine.Group))
	if len(n.flags.Kafka) == 0 {
		remove = fmt.Sprintf("delete the folders %s/partitions/%s-*", n.dir.Broker(), kafka.TableTopic(engine.Group))
	}
	return fmt.Sprintf(`if a newer version wrote it, start that one; else stop, %s, delete %s, %s, start: the events that the log has are counted again, `+
		`and run "millrace replay" later, for the minutes that it has only a part of`, remove, n.dir.State(), n.resetGroup())
}

// forgetGroup is how an operator has groups begin with the oldest record.
func (n *node) forgetGroup(groups ...string) string {
	if len(n.flags.Kafka) == 0 {
		return n.resetGroup()
	}
	return fmt.Sprintf(`run "kafka-consumer-groups --delete --group %s"`, strings.Join(groups, " --group "))
}
