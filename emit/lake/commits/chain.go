package commits

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"millrace/engine/event"
	"millrace/engine/wire"
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

	// Wait pauses before a request is made again, after so many that failed, or returns why not; nil is 100 ms, doubled each time up
	// to 30 s.
	Wait func(ctx context.Context, failed int) error
	// FoldEvery is after how many commits a fold and a checkpoint of the tables' logs are put; 0 is 32.
	FoldEvery int64
	// Lax takes rule L1 out: a simulator shows with it what the rule is for.
	Lax bool

	reuse bool // takes rule L4 out; tests set it
}

// Chain is the chain of commits of one partition, for one that writes: the owner of the partition. Any number may be open at a
// time, in any processes: one whose owner has been replaced and does not know it commits nothing that counts. A Chain belongs
// to one goroutine; what State returns may be given to others.
type Chain struct {
	o       Options
	at      place
	state   *State // never changed: replaced
	read    int64  // the first offset of the topic that has not been applied
	pending []step // have counted, and it is not known whether they are published
	folded  int64  // the version of the newest fold and checkpoint that were put
	trimmed int64  // before it records may be deleted: the offset of the commit that the fold before is of
	serial  int64  // of the records written
	refused bool   // to trim: it was logged
}

// ErrLog is wrapped by the error of a Chain whose topic was lost, cut short or made anew, and of one whose published form others
// have gone on with. Open and Refresh go on from what is published.
var ErrLog = errors.New("the topic of commits is not the one that the chain was opened with")

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
	if o.FoldEvery == 0 {
		o.FoldEvery = foldEvery
	}
	if o.Wait == nil {
		o.Wait = backoff
	}
	c := &Chain{o: o, at: place{o.Store, o.Topic, o.Partition, o.reuse}}
	if err := c.open(ctx); err != nil {
		return nil, c.wrap("open", err)
	}
	return c, nil
}

// State returns the fold of all commits that the chain has seen. It is never changed: after Commit or Refresh there is another.
func (c *Chain) State() *State { return c.state }

// Refresh reads what others have committed since, and publishes it. After any error of Commit it finds out where the chain stands,
// also where the topic was lost: then it does what Open does, and State may be one that does not follow the one before.
func (c *Chain) Refresh(ctx context.Context) error {
	err := c.refresh(ctx)
	if errors.Is(err, ErrLog) || errors.Is(err, ErrTrimmed) || errors.Is(err, ErrFold) {
		err = c.open(ctx)
	}
	return c.wrap("refresh", err)
}

func (c *Chain) refresh(ctx context.Context) error {
	end, err := c.end(ctx)
	if err != nil {
		return err
	}
	if err := c.readTo(ctx, end, nil); err != nil {
		return err
	}
	return c.publish(ctx)
}

// end returns where the topic ends. One that ends before it was read to is another one.
func (c *Chain) end(ctx context.Context) (int64, error) {
	_, end, err := c.o.Log.Bounds(ctx)
	if err == nil && end < c.read {
		err = fmt.Errorf("%w: it ends at %d, and was read to %d", ErrLog, end, c.read)
	}
	return end, err
}

// Commit commits a change of State, which is what the caller has made it for. All that it adds must have been put, and the puts
// acknowledged (rule L2). It reports whether the commit counted, after it has been read back (L3) and published; State has the
// change then. It tries again what fails, until it is known, or ctx ends.
//
// If it did not count, somebody else's has, or Kafka did not acknowledge it and it is not there by now. Then State is what the
// chain is now; the caller drops what it has made, and begins again from State. (A commit that Kafka did not acknowledge may come
// later, and count: then the next one on the same base does not.)
//
// After an error nothing is known: Refresh, or Open again, and go by State. Of an error that wraps ErrChange the caller is the cause, and
// nothing was done.
func (c *Chain) Commit(ctx context.Context, change Change) (counted bool, err error) {
	counted, err = c.commit(ctx, change)
	return counted && err == nil, c.wrap("commit to", err)
}

func (c *Chain) commit(ctx context.Context, change Change) (counted bool, err error) {
	if err := c.state.Check(&change); err != nil {
		return false, err
	}
	// Who commits on a commit has published it: so what is published is never more than one behind the topic.
	if err := c.retry(ctx, c.publish); err != nil {
		return false, err
	}
	base := c.state.Base()
	record := c.record(&Commit{Kind: Changes, Epoch: base.Epoch, Base: base.Offset, Change: change})
	offset, err := c.o.Log.Append(ctx, record)
	if err != nil {
		c.o.Logger.Warn("it is not known whether a commit of hits was written: reading on", "partition", c.o.Partition, "err", err)
		err = c.retry(ctx, func(ctx context.Context) (err error) {
			offset, err = c.o.Log.Append(ctx, c.record(&Commit{Kind: Marks, Epoch: base.Epoch, Base: base.Offset}))
			return err
		})
	}
	if err != nil {
		return false, err
	}
	if offset < c.read {
		return false, fmt.Errorf("%w: it was read to %d, and a record written at %d", ErrLog, c.read, offset)
	}
	err = c.retry(ctx, func(ctx context.Context) error {
		err := c.readTo(ctx, offset+1, func(r []byte, did bool) { counted = counted || did && string(r) == string(record) })
		if err != nil {
			return err
		}
		return c.publish(ctx)
	})
	return counted, err
}

// record returns a record of this writer, which is like no other.
func (c *Chain) record(r *Commit) []byte {
	c.serial++
	r.Version, r.Writer, r.At = commitVersion, fmt.Sprintf("%s.%d", c.o.Writer, c.serial), event.TimeOf(c.o.Now())
	if len(r.Change.Erase) > 0 || len(r.Change.Clean) > 0 || r.Change.Recount {
		r.Version = erasingVersion
	}
	return r.Encode()
}

func (c *Chain) wrap(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s the chain of %s/%d: %w", verb, c.o.Topic, c.o.Partition, err)
}

// readTo applies the records before an offset, and calls report for each.
func (c *Chain) readTo(ctx context.Context, end int64, report func(record []byte, counted bool)) error {
	if end <= c.read {
		return nil
	}
	return c.o.Log.Read(ctx, c.read, end, func(offset int64, record []byte) error {
		next := c.state.Clone()
		counted, why, err := next.Apply(offset, record, func(ref FoldRef) (*State, error) { return c.at.fold(ctx, ref) })
		if err != nil {
			return err
		}
		c.read = offset + 1
		if counted {
			c.pending = append(c.pending, step{c.state, next, offset, append([]byte(nil), record...)})
			c.state = next
		} else {
			c.o.Logger.Debug("a commit of hits does not count", "partition", c.o.Partition, "offset", offset, "why", why)
		}
		if report != nil {
			report(record, counted)
		}
		return nil
	})
}

// retry calls f until it is nil, a decision, or ctx ends.
func (c *Chain) retry(ctx context.Context, f func(context.Context) error) error {
	for failed := 1; ; failed++ {
		err := f(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		for _, final := range []error{ErrLog, ErrTrimmed, ErrFold, ErrPublished, wire.ErrNewer, blob.ErrKey} {
			if errors.Is(err, final) {
				return err
			}
		}
		c.o.Logger.Warn("a commit of hits has to wait: trying again", "partition", c.o.Partition, "err", err)
		if c.o.Wait(ctx, failed) != nil {
			return err
		}
	}
}

// backoff is how long to wait: 100 ms, doubled each time up to 30 s.
func backoff(ctx context.Context, failed int) error {
	t := time.NewTimer(min(100*time.Millisecond<<min(failed-1, 10), 30*time.Second))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
