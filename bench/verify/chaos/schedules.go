package chaos

import (
	"context"
	"math/rand/v2"
)

// schedules is T14: one log, two schedules of kills, the same bytes.
func schedules(ctx context.Context, o Options) error {
	var first *kept
	for i := range uint64(2) {
		got, err := schedule(ctx, o, i)
		if err != nil {
			return err
		}
		if first == nil {
			first = got
			continue
		}
		same(o.report, first, got)
	}
	return nil
}

// schedule makes one of the runs.
func schedule(ctx context.Context, o Options, number uint64) (*kept, error) {
	r, err := open(ctx, o, plan{work: crowd(o)})
	if err != nil {
		return nil, err
	}
	defer r.close()
	r.rng = rand.New(rand.NewPCG(o.Seed, number))
	if err := r.kills(ctx, o.Times, 0.25); err != nil {
		return nil, err
	}
	if err := r.finish(ctx); err != nil {
		return nil, err
	}
	r.sink.mu.Lock()
	defer r.sink.mu.Unlock()
	return &r.sink.kept, nil
}

// same compares the last records of the windows of two runs, byte for byte.
func same(rep *Report, a, b *kept) {
	bytes := 0
	for k, w := range a.windows {
		bytes += len(a.raw[k])
		switch o := b.windows[k]; {
		case o == nil:
			rep.Fail("%s: only the first run has it", k)
		case string(a.raw[k]) != string(b.raw[k]):
			rep.Fail("%s: version %d of the first run and version %d of the second are not the same bytes", k, w.Version, o.Version)
		}
	}
	for k := range b.windows {
		if a.windows[k] == nil {
			rep.Fail("%s: only the second run has it", k)
		}
	}
	rep.Add("bytes", "%d windows, %.1f MB compared", len(a.windows), float64(bytes)/1e6)
}
