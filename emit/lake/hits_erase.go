package lake

import (
	"context"
	"errors"
	"slices"

	"millrace/emit/lake/commits"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
)

// hitErasures are whose hits a partition's segment leaves out: those that the chain has erased, and those that this segment's commit is
// to erase. They are read when a segment begins, so that the commit erases of it what it has left out.
type hitErasures struct {
	asked map[string]commits.Erasure // notes that were read, by name
	bad   map[string]bool            // and those that can't be
	erase []commits.Erasure          // that the state lacks
	gone  map[event.Visitor][]commits.Erasure
}

// eraseFrom finds out what is erased, at the beginning of a segment. REQUIRES: no row was made.
func (h *partitionHits) eraseFrom(ctx context.Context) error {
	a, e := h.p.a, &h.erasures
	err := a.retry(ctx, "list what is erased", func() error {
		_, names, err := a.gone.of(ctx, a.o.Store, a.o.keepErasures)
		if err != nil {
			return err
		}
		e.erase = nil
		for _, name := range names {
			of, known := e.asked[name]
			if !known && !e.bad[name] {
				if of, known, err = h.readErasure(ctx, name); err != nil {
					return err
				}
			}
			if known && h.state.Lacks(&of) {
				e.erase = append(e.erase, of)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	e.gone = map[event.Visitor][]commits.Erasure{}
	for _, of := range append(slices.Clone(e.erase), h.state.Erasures()...) {
		e.gone[of.Visitor] = append(e.gone[of.Visitor], of)
	}
	return nil
}

// readErasure reads a note. One that is damaged holds nothing up: readers refuse to go on without it, and say so.
func (h *partitionHits) readErasure(ctx context.Context, name string) (e commits.Erasure, ok bool, err error) {
	a := h.p.a
	e, err = NewReader(a.o.Store).erasure(ctx, name)
	switch {
	case errors.Is(err, ErrErasure):
		a.o.Log.Warn("an erasure can't be read, and takes no hits away", "err", err)
		h.erasures.bad[name] = true
		return e, false, nil
	case err != nil:
		return e, false, err
	}
	h.erasures.asked[name] = e
	return e, true, nil
}

// sum names what is left out, "" for nothing: it is a part of the names of the segment's files.
func (e *hitErasures) sum(s *commits.State) string {
	if len(e.erase) == 0 {
		return s.ErasedSum()
	}
	next := s.Clone()
	next.Erase(e.erase)
	return next.ErasedSum()
}

// hit reports whether an event is left out.
func (e *hitErasures) hit(site string, who event.Visitor, received event.Time) bool {
	return slices.ContainsFunc(e.gone[who], func(of commits.Erasure) bool { return of.Site == site && received < of.Before })
}

// visit reports whether a visit is, or a join: one that an erased record has begun, or, since that may have been received and not been in
// the log by then, one that began before the erasure. Of hits that are made anew no record is erased as such.
func (e *hitErasures) visit(site string, who event.Visitor, id visit.ID, begin event.Time, anew bool) bool {
	return slices.ContainsFunc(e.gone[who], func(of commits.Erasure) bool {
		return of.Site == site && (!anew && of.OfVisit(id) || begin < of.Before)
	})
}

// erasing is a hits.Sink that leaves out what is erased.
type erasing struct {
	*hitErasures
	to   *hitRows
	anew bool
}

func (s erasing) Hit(h *hits.Hit) {
	if !s.hit(h.Site, h.Row.Visitor, h.Received) {
		s.to.Hit(h)
	}
}

func (s erasing) Join(j hits.Join) {
	if !s.visit(j.Site, j.Visitor, j.Visit, j.Begin, s.anew) {
		s.to.Join(j)
	}
}

func (s erasing) Visit(v *visit.Visit) {
	if !s.visit(v.Site, v.Visitor, v.ID, v.Begin, s.anew) {
		s.to.Visit(v)
	}
}

// sink returns what takes the rows.
func (h *partitionHits) sink() hits.Sink {
	if len(h.erasures.gone) == 0 {
		return h.rows
	}
	return erasing{&h.erasures, h.rows, h.anew}
}
