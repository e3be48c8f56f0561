package lake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"

	"millrace/emit/lake/commits"
	"millrace/engine/event"
	"millrace/engine/wire"
	"millrace/internal/blob"
)

// partitionHits makes the hits of a partition beside its raw rows, and commits them. It belongs to the goroutine of the
// partition's session.
//
// The chain of commits says up to which record there are hits (commits.State.Next). That is never before the end of the raw
// archive, because a segment's hits are committed before its progress is stored. After a crash it may be ahead of it: records
// before it are archived again then, and passed over here.
//
// Whenever somebody else has committed, all that is here is dropped and read back: the chain decides, and what it lacks is made
// of the log.
type partitionHits struct {
	p     *partition
	o     *HitsOptions
	chain *commits.Chain
	state *commits.State // what the next commit is based on

	ledger Ledger
	rows   *hitRows
	first  int64 // the first record of the segment
	next   int64 // the first that the ledger has not read
	sum    uint64
	anew   bool       // the next commit takes away all that there was
	began  event.Time // see commits.Change; beganLater until the first record with a watermark

	erasures hitErasures

	merges  offers
	sweeper *commits.Sweeper
	orphans time.Time // when it was last looked for them
}

// beganLater is from when on hits are whole while that is not known: from no time of an event.
const beganLater event.Time = 1 << 46

func newPartitionHits(p *partition) *partitionHits {
	o := p.a.o.Hits
	if o == nil {
		return nil
	}
	return &partitionHits{p: p, o: o, rows: newHitRows(p.a.o.Topic, p.id), merges: p.a.offersOf(p.id),
		erasures: hitErasures{asked: map[string]commits.Erasure{}, bad: map[string]bool{}}}
}

// resume stands the ledger where the chain ends, and makes the hits of all records before an offset that the chain lacks.
func (h *partitionHits) resume(ctx context.Context, to int64) error {
	if err := h.open(ctx); err != nil {
		return err
	}
	for {
		if err := h.load(ctx); err != nil {
			return err
		}
		err := h.catchUp(ctx, to)
		if !errors.Is(err, errPassed) {
			return err
		}
	}
}

// open opens the chain, or reads what has been committed since.
func (h *partitionHits) open(ctx context.Context) error {
	return h.p.a.retry(ctx, "read commits", func() (err error) {
		if h.chain == nil {
			h.chain, err = commits.Open(ctx, h.chainOptions())
			return err
		}
		return h.chain.Refresh(ctx)
	})
}

func (h *partitionHits) chainOptions() commits.Options {
	a := h.p.a
	o := commits.Options{
		Topic: a.o.Topic, Partition: h.p.id, Log: h.o.Commits(h.p.id), Store: patientStore{a.o.Store, a}, Logger: a.o.Log, Now: a.o.now,
	}
	if a.o.chain != nil {
		a.o.chain(&o)
	}
	return o
}

// load makes the ledger of the chain's checkpoints. Where they can't be gone on from, hits begin anew with what Kafka has.
func (h *partitionHits) load(ctx context.Context) error {
	h.state = h.chain.State()
	h.ledger = h.o.NewLedger(h.p.id)
	h.rows.reset()
	h.first, h.next, h.began, h.anew = h.state.Next, h.state.Next, h.state.Began, false
	h.share(ctx)
	if err := h.eraseFrom(ctx); err != nil {
		return err
	}
	begin, err := h.logBegin(ctx)
	if err != nil {
		return err
	}
	if len(h.state.Checkpoints()) == 0 && h.state.NumFiles() == 0 {
		h.start(begin, false)
		return nil
	}
	why, err := h.goOn(ctx, begin)
	if err != nil {
		return err
	}
	if why != "" {
		h.p.a.o.Log.Warn("hits can't be gone on with, and are made anew of what the log has; until then, and of what it has not, queries know less",
			"partition", h.p.id, "hits end at", h.state.Next, "log begins at", begin, "why", why)
		h.p.a.stats.anew.Add(1)
		h.ledger = h.o.NewLedger(h.p.id)
		h.start(begin, true)
	}
	return nil
}

// logBegin returns the first record that the log has.
func (h *partitionHits) logBegin(ctx context.Context) (begin int64, err error) {
	if h.p.a.o.Begin == nil {
		return 0, nil
	}
	err = h.p.a.retry(ctx, "find the beginning of the log", func() (err error) { begin, err = h.p.a.o.Begin(ctx, h.p.id); return err })
	return begin, err
}

// start begins with the first record that the log has.
func (h *partitionHits) start(begin int64, anew bool) {
	h.first, h.next, h.anew, h.began = begin, begin, anew, 0
	if begin > 0 {
		h.began = beganLater
	}
	h.p.a.o.Log.Info("hits begin", "partition", h.p.id, "offset", begin)
}

// goOn loads the checkpoints of the state, and returns why that is not possible.
func (h *partitionHits) goOn(ctx context.Context, begin int64) (why string, err error) {
	if begin > h.state.Next {
		return "records are missing between the hits and the log", nil
	}
	list := h.state.Checkpoints()
	if len(list) == 0 {
		return "there is no checkpoint", nil
	}
	var all [][]byte
	for _, c := range list {
		var object []byte
		err := h.p.a.retry(ctx, c.Key, func() (err error) {
			object, err = h.p.a.o.Store.Get(ctx, c.Key)
			if errors.Is(err, blob.ErrNotFound) {
				object, err = nil, nil
			}
			return err
		})
		if err != nil {
			return "", err
		}
		sum, checkpoint, err := unwrapCheckpoint(object)
		if err != nil {
			return fmt.Sprintf("%s: %s", c.Key, err), nil
		}
		h.sum, all = sum, append(all, checkpoint)
	}
	if err := h.ledger.Load(all); errors.Is(err, wire.ErrNewer) {
		return "", fmt.Errorf("partition %d: %w", h.p.id, err)
	} else if err != nil {
		return err.Error(), nil
	}
	return h.otherLog(ctx, begin)
}

// otherLog returns why the log is not the one that the hits were made of, "" if it is.
func (h *partitionHits) otherLog(ctx context.Context, begin int64) (why string, err error) {
	if h.p.a.o.End != nil {
		var end int64
		err := h.p.a.retry(ctx, "find the end of the log", func() (err error) { end, err = h.p.a.o.End(ctx, h.p.id); return err })
		if err != nil {
			return "", err
		}
		if end < h.state.Next {
			return fmt.Sprintf("the log ends at %d, before them", end), nil
		}
	}
	last := h.ledger.Last()
	if last < begin {
		return "", nil // it can't be told any more
	}
	err = h.p.a.retry(ctx, "read the log", func() error {
		return h.o.Records(ctx, h.p.id, last, last+1, func(_ int64, value []byte) error {
			if xxhash.Sum64(value) != h.sum {
				why = fmt.Sprintf("the record at offset %d is not the one that they were made of", last)
			}
			return nil
		})
	})
	return why, err
}

// step takes a record, unless there are hits of it.
func (h *partitionHits) step(offset int64, value []byte) {
	if offset < h.next {
		return
	}
	_ = h.ledger.Step(offset, value, h.sink()) // one that can't be read has no hits, and is counted where it is archived
	h.stepped(offset, value)
}

// stepDecoded is step for the record that the partition has just decoded.
func (h *partitionHits) stepDecoded(offset int64, value []byte, dead error) {
	if offset < h.next {
		return
	}
	_ = h.ledger.StepDecoded(offset, &h.p.env, dead, h.sink())
	h.stepped(offset, value)
}

func (h *partitionHits) stepped(offset int64, value []byte) {
	h.next, h.sum = offset+1, xxhash.Sum64(value)
	if w := h.ledger.Watermark(); h.began == beganLater && w > 0 {
		h.began = w + h.o.Settle
	}
}

// catchUp makes and commits the hits of the records before an offset. errPassed: somebody else has committed.
func (h *partitionHits) catchUp(ctx context.Context, to int64) error {
	if h.next >= to {
		return nil
	}
	h.p.a.o.Log.Info("hits are made of what is in the log already", "partition", h.p.id, "from", h.next, "to", to)
	size := int64(0)
	err := h.p.a.retry(ctx, "read the log for hits", func() error {
		return h.o.Records(ctx, h.p.id, h.next, to, func(offset int64, value []byte) error {
			h.step(offset, value)
			h.p.a.stats.caughtUp.Add(1)
			if size += int64(len(value)); h.rows.rows < h.p.a.o.MaxRows && size < h.p.a.o.MaxBytes {
				return nil
			}
			size = 0
			return final(h.commit(ctx))
		})
	})
	if err != nil {
		return err
	}
	h.next = max(h.next, to) // the last of them may be no more
	return h.commit(ctx)
}

// finalError is one of a callback, which to repeat the call would not help.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

func final(err error) error {
	if err == nil {
		return nil
	}
	return finalError{err}
}

// flush commits the hits of all records before an offset, which have been read. When it returns they are committed, by whomever.
func (h *partitionHits) flush(ctx context.Context, to int64) error {
	if to <= h.state.Next && !h.anew {
		return nil // as after a crash: they were committed, and the progress was not stored
	}
	err := h.commit(ctx)
	if errors.Is(err, errPassed) {
		return h.resume(ctx, to)
	}
	return err
}
