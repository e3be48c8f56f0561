package commits

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"millrace/engine/event"
	"millrace/internal/blob"
)

// Options are those of a Chain.
type Options struct {
	// Topic is the topic of events, by the name that the archive has of it, and Partition the one that the chain is of.
	Topic     string
	Partition int32
	// Log is the partition of the topic of commits.
	Log Log
	// Store is the archive.
	Store blob.Store
	// Logger gets what an operator should know. nil: nothing.
	Logger *slog.Logger
	// Now is the wall clock, for the times that people see; nil is time.Now.
	Now func() time.Time
	// Writer names this process among the writers of commits; "" is a random name.
	Writer string
}

// Chain is the chain of commits of one partition, for one that writes: the owner of the partition. Any number may be open at a
// time, in any processes: one whose owner has been replaced and does not know it commits nothing that counts. A Chain belongs
// to one goroutine; what State returns may be given to others.
type Chain struct {
	o         Options
	state     *State // never changed: replaced
	read      int64  // the first offset that has not been applied
	published int64  // the version up to which it is known that the tables' logs have been put
	serial    int64  // of the records written
}

// Open reads the chain up to its end, and publishes what was not published yet. Where the topic is not the one that the published
// form was made of, because it was lost or the archive was put back, an epoch begins with what is published.
func Open(ctx context.Context, o Options) (*Chain, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Writer == "" {
		o.Writer = rand.Text()
	}
	c := &Chain{o: o, state: NewState(o.Topic, o.Partition), published: none}
	if err := c.open(ctx); err != nil {
		return nil, c.wrap("open", err)
	}
	return c, nil
}

// State returns the fold of all commits that the chain has seen. It is never changed: after Commit or Refresh there is another.
func (c *Chain) State() *State { return c.state }

// Refresh reads what others have committed since, and publishes it.
func (c *Chain) Refresh(ctx context.Context) error { return c.wrap("refresh", c.refresh(ctx)) }

// Commit commits a change of State, which is what the caller has made it for. All that it adds must have been put, and the puts
// acknowledged (rule L2). It reports whether the commit counted, after it has been read back (L3), and then State has the
// change and it is published.
//
// If it did not count, somebody else's has, or Kafka did not answer and the commit has not come by now. Then State is what the
// chain is now; the caller drops what it has made, and begins again from State. (A commit that comes later still may count
// then: in that case the next one does not, and State has it.)
//
// After an error nothing is known: Refresh, or Open again, and go by State. An error that wraps ErrChange is the caller's fault,
// and nothing was done.
func (c *Chain) Commit(ctx context.Context, change Change) (counted bool, err error) {
	counted, err = c.commit(ctx, change)
	return counted, c.wrap("commit to", err)
}

func (c *Chain) wrap(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s the chain of %s/%d: %w", verb, c.o.Topic, c.o.Partition, err)
}

func (c *Chain) open(ctx context.Context) error { return c.refresh(ctx) }

func (c *Chain) refresh(ctx context.Context) error {
	_, end, err := c.o.Log.Bounds(ctx)
	if err != nil {
		return err
	}
	return c.readTo(ctx, end, nil)
}

func (c *Chain) commit(ctx context.Context, change Change) (counted bool, err error) {
	if err := c.state.Check(&change); err != nil {
		return false, err
	}
	base := c.state.Base()
	c.serial++
	mine := &Commit{Version: commitVersion, Kind: Changes, Epoch: base.Epoch, Base: base.Offset, Writer: fmt.Sprintf("%s.%d", c.o.Writer, c.serial),
		At: event.TimeOf(c.o.Now()), Change: change}
	record := mine.Encode()
	offset, err := c.o.Log.Append(ctx, record)
	if err != nil {
		return false, err
	}
	err = c.readTo(ctx, offset+1, func(_ int64, r []byte, did bool) { counted = counted || did && string(r) == string(record) })
	return counted, err
}

// readTo applies the records before an offset, and reports each.
func (c *Chain) readTo(ctx context.Context, end int64, report func(offset int64, record []byte, counted bool)) error {
	if end <= c.read {
		return nil
	}
	next := c.state.Clone()
	return c.o.Log.Read(ctx, c.read, end, func(offset int64, record []byte) error {
		counted, why, err := next.Apply(offset, record, func(FoldRef) (*State, error) { return nil, errors.New("not written yet") })
		if err != nil {
			return err
		}
		if !counted {
			c.o.Logger.Debug("a commit of hits does not count", "partition", c.o.Partition, "offset", offset, "why", why)
		}
		c.read, c.state = offset+1, next.Clone()
		if report != nil {
			report(offset, record, counted)
		}
		return nil
	})
}
