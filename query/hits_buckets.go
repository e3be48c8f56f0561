package query

import (
	"slices"

	"millrace/engine/event"
)

// timeline finds the buckets of times in any order: those of [from, to), one after the other.
type timeline struct {
	from   event.Time
	starts []event.Time // ascending; the first is from
	codes  []uint32     // index of labels, by start
	labels []string     // distinct: an hour that is repeated has one
	// By steps of a length that all starts are multiples of: the index of starts. Nil where they would be too many.
	step  event.Time
	steps []uint32
}

// maxSteps bounds the table of steps: 4 MB.
const maxSteps = 1 << 20

// newTimeline returns false if there are more than most buckets.
func newTimeline(b *bucketer, from, to event.Time, most int) (*timeline, bool) {
	l := &timeline{from: from}
	index := map[string]uint32{}
	for t := from; t < to; t = b.to {
		label := b.at(t)
		code, ok := index[label]
		if !ok {
			if len(l.labels) == most {
				return nil, false
			}
			code = uint32(len(l.labels))
			index[label] = code
			l.labels = append(l.labels, label)
		}
		l.starts, l.codes = append(l.starts, t), append(l.codes, code)
		l.step = gcd(l.step, t-from)
	}
	if l.step == 0 {
		l.step = max(to-from, 1)
	}
	if n := (to - from + l.step - 1) / l.step; n <= maxSteps {
		next := 0
		for i := range n {
			for next+1 < len(l.starts) && l.starts[next+1] <= from+i*l.step {
				next++
			}
			l.steps = append(l.steps, uint32(next))
		}
	}
	return l, true
}

// code returns the index of the label of a time's bucket. REQUIRES: the time is in the range.
func (l *timeline) code(t event.Time) uint32 {
	if l.steps != nil {
		return l.codes[l.steps[(t-l.from)/l.step]]
	}
	i, found := slices.BinarySearch(l.starts, t)
	if !found {
		i--
	}
	return l.codes[i]
}

func gcd(a, b event.Time) event.Time {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
