package audit

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"millrace/internal/blob"
)

const (
	// slice is how much processor time is used between two pauses: little enough that no beacon
	// waits for it, and enough that pauses cost nothing.
	slice = 5 * time.Millisecond
	// requestEvery is the least time between two requests of a bucket: they cost money.
	requestEvery = 100 * time.Millisecond
	// listed is how many objects a page of a list has.
	listed = 1000
)

// pacer holds a goroutine to a share of a processor core. It belongs to that goroutine, which is
// locked to its thread; used may be read by others.
type pacer struct {
	share  float64
	remote bool // the archive is in a bucket
	server bool // the rollup store is an InfluxDB
	used   atomic.Int64

	cpu   func() time.Duration // of this thread
	sleep func(context.Context, time.Duration) error
	now   func() time.Time
	at    time.Duration // cpu at the last look
	owed  time.Duration // used since the last pause
	asked time.Time     // when the last request of the bucket was made
	sent  time.Time     // when the query was sent that is under way; zero: none is
}

func newPacer(share float64, remote, server bool) *pacer {
	return &pacer{share: share, remote: remote, server: server, cpu: threadTime, sleep: sleep, now: time.Now}
}

// begin is called when the goroutine has got a thread.
func (p *pacer) begin() { p.at = p.cpu() }

// query is pace for the rollup store, before each query and now and then in its answer. What an
// InfluxDB takes to answer counts like processor time: most of it is that server's.
func (p *pacer) query(ctx context.Context, query bool) error {
	if p.server && !p.sent.IsZero() {
		p.owed += max(p.now().Sub(p.sent)-(p.cpu()-p.at), 0)
	}
	err := p.pace(ctx, false)
	p.sent = time.Time{}
	if query {
		p.sent = p.now()
	}
	return err
}

// pace waits as long as the share wants after what was used since the last call, and before a
// request of a bucket until one is due.
func (p *pacer) pace(ctx context.Context, request bool) error {
	at := p.cpu()
	if used := at - p.at; used > 0 {
		p.owed += used
		p.used.Add(int64(used))
	}
	p.at = at
	if p.owed >= slice {
		wait := time.Duration(float64(p.owed) * (1/p.share - 1))
		p.owed = 0
		if err := p.sleep(ctx, wait); err != nil {
			return err
		}
	}
	if request && p.remote {
		if wait := requestEvery - p.now().Sub(p.asked); wait > 0 {
			if err := p.sleep(ctx, wait); err != nil {
				return err
			}
		}
		p.asked = p.now()
	}
	return ctx.Err()
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// pacedStore is an archive that is read slowly.
type pacedStore struct {
	blob.Store
	p *pacer
}

func (s pacedStore) Get(ctx context.Context, key string) ([]byte, error) {
	if err := s.p.pace(ctx, true); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, key)
}

func (s pacedStore) Open(ctx context.Context, key string) (blob.Object, error) {
	if err := s.p.pace(ctx, true); err != nil {
		return nil, err
	}
	return s.Store.Open(ctx, key)
}

func (s pacedStore) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		if err := s.p.pace(ctx, true); err != nil {
			yield(blob.Info{}, err)
			return
		}
		n := 0
		for info, err := range s.Store.List(ctx, prefix, after) {
			if n++; err == nil && n%listed == 0 {
				err = s.p.pace(ctx, true)
			}
			if !yield(info, err) || err != nil {
				return
			}
		}
	}
}
