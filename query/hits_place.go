package query

import (
	"slices"

	"millrace/engine/event"
)

// place finds the groups of rows.
func (w *hitWorker) place(v *evaluator, times func() ([]event.Time, error), pass []uint64) error {
	w.rows = w.rows[:0]
	eachBit(pass, func(i int) { w.rows = append(w.rows, int32(i)) })
	w.group = slices.Grow(w.group[:0], len(w.rows))[:len(w.rows)]
	clear(w.group)
	for k, d := range w.c.dims {
		var err error
		switch {
		case d.IsTime():
			err = w.placeTimes(k, times)
		case d.isGoal():
			code := w.groups.columns[k].of(d.show(v.goal))
			for i := range w.group {
				w.join(k, i, code)
			}
		default:
			err = w.placeTexts(k, d, v)
		}
		if err != nil {
			return err
		}
		if n := w.groups.len(); n > w.c.e.x.opts.MaxGroups {
			return w.c.tooMany()
		}
	}
	w.grow()
	return nil
}

// join makes the group of a row one by the column k too.
func (w *hitWorker) join(k, i int, code uint32) {
	if k == 0 {
		w.group[i] = code
		return
	}
	w.group[i] = w.groups.levels[k-1].of(w.group[i], code)
}

func (w *hitWorker) placeTimes(k int, times func() ([]event.Time, error)) error {
	list, err := times()
	if err != nil {
		return err
	}
	l := w.c.timeline
	if w.labels == nil {
		w.labels = make([]uint32, len(l.labels))
	}
	for i, row := range w.rows {
		at := l.code(list[row])
		if w.labels[at] == 0 {
			w.labels[at] = w.groups.columns[k].of(l.labels[at]) + 1
		}
		w.join(k, i, w.labels[at]-1)
	}
	return nil
}

func (w *hitWorker) placeTexts(k int, d *Dimension, v *evaluator) error {
	t, nulls, err := v.column(d)
	if err != nil {
		return err
	}
	number := make([]uint32, len(t.Values)) // code plus 1
	kept := 0
	for i, row := range w.rows {
		code := t.Codes[row]
		n := number[code]
		if n == 0 {
			value := t.Values[code]
			if value == "" && nulls {
				n = ^uint32(0)
			} else {
				n = w.groups.columns[k].of(d.show(shown(value))) + 1
			}
			number[code] = n
		}
		if n == ^uint32(0) {
			continue
		}
		w.rows[kept], w.group[kept] = row, w.group[i]
		w.join(k, kept, n-1)
		kept++
	}
	w.rows, w.group = w.rows[:kept], w.group[:kept]
	return nil
}
