package lake

import (
	"context"
	"errors"
	"slices"

	"millrace/emit/lake/colfile"
	"millrace/emit/lake/commits"
	"millrace/emit/lake/hitfile"
	"millrace/emit/lake/hitmerge"
	"millrace/engine/event"
	"millrace/engine/visit"
)

// mostCleaned is how many files are looked through for one commit, and cleanBytes how much of files written again waits for it.
const (
	mostCleaned = 256
	cleanBytes  = mostOffered / 2
)

// clean looks through files of a partition that may hold rows which are erased, and writes those anew that do. Each is left as it is but
// for the rows. It reports whether there was anything to do.
func (m *merging) clean(ctx context.Context, partition int32, of *offered, state *commits.State) (did bool, err error) {
	files := slices.DeleteFunc(state.Unclean(), func(f *commits.File) bool { return m.isAside(partition, f) })
	clean := Merge{CleanOf: state.Version}
	pace, waiting := m.pacer(), 0
	for _, f := range files[:min(len(files), mostCleaned)] {
		planned := &hitmerge.Planned{Table: f.Table, Day: f.Day, Level: f.Level, Inputs: []*commits.File{f}}
		found, err := m.holdsErased(ctx, f, state, pace)
		if err == nil && found {
			var bytes int
			bytes, err = m.merge(ctx, partition, of, state, planned)
			waiting += bytes
		} else if err == nil {
			clean.Clean = append(clean.Clean, f.Key)
		}
		if err != nil {
			m.failed(partition, planned, err)
			if ctx.Err() != nil {
				return did, err
			}
			continue
		}
		if did = true; waiting >= cleanBytes {
			break
		}
	}
	if len(clean.Clean) > 0 {
		m.a.Offer(partition, clean)
	}
	return did, nil
}

// holdsErased reports whether a file has a row that is erased.
func (m *merging) holdsErased(ctx context.Context, f *commits.File, state *commits.State, pace *pacer) (bool, error) {
	object, err := m.a.o.Store.Open(ctx, f.Key)
	if err != nil {
		return false, err
	}
	defer object.Close()
	table := tableOf(f.Table)
	file, err := table.Open(f.Key, object, object.Size())
	if err != nil {
		return false, err
	}
	schema, placed := table.Schema(), "source_offset"
	if f.Table == commits.Visits {
		placed = "visit"
	}
	columns := []int{schema.Index("site"), schema.Index("visitor"), schema.Index(placed)}
	var sites, visitors, places colfile.Vector
	for i := range file.Groups() {
		g, err := file.Group(i, columns)
		if err == nil {
			err = g.Column(columns[0], &sites)
		}
		if err != nil {
			return false, err
		}
		if err := pace.wait(ctx); err != nil {
			return false, err
		}
		if !slices.ContainsFunc(state.Erasures(), func(e commits.Erasure) bool { return slices.Contains(sites.Dict, e.Site) }) {
			continue
		}
		if err := errors.Join(g.Column(columns[1], &visitors), g.Column(columns[2], &places)); err != nil {
			return false, err
		}
		for row, who := range visitors.Ints {
			if who == 0 {
				continue
			}
			e := state.Erased(sites.Dict[sites.Codes[row]], event.Visitor(who))
			if e != nil && covers(e, f.Table, places.Ints[row]) {
				return true, nil
			}
		}
	}
	return false, nil
}

// covers reports whether an erasure takes a row of its visitor away: a hit of a record, or a visit with a name.
func covers(e *commits.Erasure, t commits.Table, place int64) bool {
	if t == commits.Visits {
		return e.OfVisit(visit.ID(place))
	}
	return e.OfRecord(place)
}

// leftOut returns what a merge leaves out of a table by a state, nil for nothing.
func leftOut(state *commits.State, t commits.Table) func(site string, who event.Visitor) func(place int64) bool {
	if len(state.Erasures()) == 0 {
		return nil
	}
	return func(site string, who event.Visitor) func(place int64) bool {
		e := state.Erased(site, who)
		if e == nil || who == 0 {
			return nil
		}
		return func(place int64) bool { return covers(e, t, place) }
	}
}

func tableOf(t commits.Table) *hitfile.Table {
	if t == commits.Visits {
		return hitfile.Visits
	}
	return hitfile.Hits
}
