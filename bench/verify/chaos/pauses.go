package chaos

import (
	"slices"
	"sync"
	"time"
)

// pauses measures for how long each partition stood still, by step of a scenario. There is
// something to count at all times.
type pauses struct {
	mu    sync.Mutex // guards what follows
	steps []step
	moved map[int32]time.Time
}

// step is a part of a scenario, with the longest pause of each partition in it.
type step struct {
	name    string
	longest map[int32]time.Duration
}

// newPauses returns one before the first step.
func newPauses() *pauses { return &pauses{moved: map[int32]time.Time{}} }

// begin ends a step and begins another; "" begins none.
func (l *pauses) begin(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps = append(l.steps, step{name, map[int32]time.Duration{}})
}

// line is told what a worker says.
func (l *pauses) line(_ *proc, s *status) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range s.Partitions {
		last, known := l.moved[p]
		l.moved[p] = now
		if !known || len(l.steps) == 0 || l.steps[len(l.steps)-1].name == "" {
			continue
		}
		m := l.steps[len(l.steps)-1].longest
		m[p] = max(m[p], now.Sub(last))
	}
}

// mostPause is the bound of T10.
const mostPause = 15 * time.Second

// judge reports the longest pause of each partition in each step. Their p99 may be no longer than
// most, if that is not 0.
func (l *pauses) judge(rep *Report, most time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []time.Duration
	byName := map[string][]time.Duration{}
	var names []string
	for _, s := range l.steps {
		if s.name == "" {
			continue
		}
		if byName[s.name] == nil {
			names = append(names, s.name)
		}
		for _, d := range s.longest {
			all = append(all, d)
			byName[s.name] = append(byName[s.name], d)
		}
	}
	for _, name := range names {
		v := byName[name]
		slices.Sort(v)
		rep.Add("pause "+name, "median %v, longest %v of %d partitions", quantile(v, 0.5), quantile(v, 1), len(v))
	}
	slices.Sort(all)
	p99 := quantile(all, 0.99)
	rep.Add("pause", "median %v, p99 %v, longest %v", quantile(all, 0.5), p99, quantile(all, 1))
	if most > 0 && p99 > most {
		rep.Fail("the p99 of a partition's pause is %v, more than %v", p99, most)
	}
	if len(all) == 0 {
		rep.Fail("no partition was seen to move")
	}
}

// quantile reads a sorted list.
func quantile(v []time.Duration, q float64) time.Duration {
	if len(v) == 0 {
		return 0
	}
	return v[min(len(v)-1, int(q*float64(len(v))))].Round(10 * time.Millisecond)
}
