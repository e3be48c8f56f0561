package audit

import (
	"context"
	"math/rand/v2"

	"millrace/emit/lake"
	"millrace/engine/event"
)

// most is how many hours a cycle has at most, 50 years.
const most = 50 * 366 * 24

// gap is how long a time without events is compared too: numbers that came from nowhere would be
// found nowhere else. Longer ones are hours of senders whose clocks were wrong.
const gap = 24 * event.Hour

// picker picks the hours of a cycle, each once.
type picker struct {
	open   []event.Time // not yet picked, ascending
	to     event.Time   // hours before it are in open or were picked
	picked int
	rng    *rand.Rand
}

// pick returns an hour of [from, to); false if there is none. Of those that are new at each call
// the archive is asked once.
func (p *picker) pick(ctx context.Context, l *lake.Reader, from, to event.Time) (event.Time, bool, error) {
	if err := p.add(ctx, l, from, to); err != nil {
		return 0, false, err
	}
	p.drop(from)
	if len(p.open) == 0 { // a cycle is over, or an import has brought hours that passed for empty
		p.to, p.picked = 0, 0
		if err := p.add(ctx, l, from, to); err != nil {
			return 0, false, err
		}
	}
	if len(p.open) == 0 {
		return 0, false, nil
	}
	n := len(p.open) - 1
	if p.picked%2 == 1 {
		n = p.rng.IntN(len(p.open))
	}
	hour := p.open[n]
	p.open = append(p.open[:n], p.open[n+1:]...)
	p.picked++
	return hour, true, nil
}

// drop lets go of hours that are no longer compared.
func (p *picker) drop(from event.Time) {
	for len(p.open) > 0 && p.open[0] < from {
		p.open = p.open[1:]
	}
}

// add takes in the hours from p.to on, with the gaps between them.
func (p *picker) add(ctx context.Context, l *lake.Reader, from, to event.Time) error {
	if from = max(from, p.to); from >= to {
		return nil
	}
	starts, err := l.HourStarts(ctx, from, to)
	if err != nil {
		return err
	}
	last := event.Time(-1)
	if p.to > 0 {
		last = from - event.Hour
	}
	for _, h := range append(starts, to) {
		if last >= 0 && h-last <= gap {
			for e := last + event.Hour; e < h; e += event.Hour {
				p.open = append(p.open, e)
			}
		}
		if h < to {
			p.open = append(p.open, h)
		}
		last = h
	}
	if len(p.open) > most {
		p.open = p.open[len(p.open)-most:]
	}
	p.to = to
	return nil
}
