package visit

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"unsafe"

	"millrace/engine/event"
	"millrace/engine/window"
)

// record is what the record in hand has done, and the memory for it.
type record struct {
	touches []touch
	batch   []*site // of the visits touched, in the order of the first
	groups  []*group
	used    int // of groups

	row     window.VisitRow
	chunks  []byte
	journal []byte
	buf     []byte
	page    []byte
}

// touch is a visit that the record has touched.
type touch struct {
	slot   int32
	had    bool  // it was there before the record
	gone   bool  // it is no more: another has taken it in
	ended  bool  // it counts, but takes no more events
	whole  bool  // the journal must hold all of it
	before visit // as it was. The strings stay in their places until the record ends.
}

// group collects the changes of one window.
type group struct {
	start event.Time
	site  *site
	rows  window.VisitWriter
}

// touch notes that the record changes a visit, before it does.
func (t *Table) touch(i int32) {
	v := t.visits.at(i)
	if v.touch != 0 {
		return
	}
	t.touches = append(t.touches, touch{slot: i, had: true, before: *v})
	s := t.sites[v.site]
	if len(s.touched) == 0 {
		t.batch = append(t.batch, s)
	}
	s.touched = append(s.touched, i)
	v.touch = int32(len(t.touches))
}

// Flush ends a record. It calls add with the changes of the windows of visits, ordered by start and site: for each
// visit, what it adds to them now less what it added before the record. It returns the journal of what the record
// changed, nil if nothing did. Chunks and journal are valid until the next Flush.
func (t *Table) Flush(add func(site string, start event.Time, chunk []byte)) (journal []byte) {
	if len(t.touches) == 0 {
		return nil
	}
	base := t.visits.at(t.touches[0].slot).last()
	b := append(t.journal[:0], t.format(formatJournal))
	b = binary.AppendVarint(b, int64(base))
	for _, s := range t.batch {
		b = appendBytes(b, s.name)
		for _, i := range s.touched {
			v := t.visits.at(i)
			tc := &t.touches[v.touch-1]
			b = t.appendTouched(b, s, v, tc, base)
			t.change(s, v, tc)
		}
		for _, visitor := range s.moved {
			b = t.appendVisitor(b, s, visitor, true, base)
		}
		b = append(b, 0)
	}
	t.journal = b
	t.hand(add)
	t.settle()
	return t.journal
}

// EndRecord is Flush for a caller who wants neither changes nor journal, but a Checkpoint now and then.
func (t *Table) EndRecord() {
	if len(t.touches) > 0 {
		t.settle()
	}
}

// hand hands out the groups.
func (t *Table) hand(add func(site string, start event.Time, chunk []byte)) {
	groups := t.groups[:t.used]
	slices.SortFunc(groups, func(a, b *group) int {
		if a.start != b.start {
			return cmp.Compare(a.start, b.start)
		}
		return strings.Compare(a.site.name, b.site.name)
	})
	size := 0
	for _, g := range groups {
		size += g.rows.Size()
	}
	// One buffer for all, large enough that it does not move.
	t.chunks = slices.Grow(t.chunks[:0], size)
	for _, g := range groups {
		from := len(t.chunks)
		t.chunks = g.rows.AppendChunk(t.chunks)
		add(g.site.name, g.start, t.chunks[from:len(t.chunks):len(t.chunks)])
		g.site = nil
	}
	t.used = 0
}

// settle makes the state after the record the one before the next.
func (t *Table) settle() {
	for k := range t.touches {
		tc := &t.touches[k]
		v := t.visits.at(tc.slot)
		v.touch = 0
		if tc.before.dims != v.dims {
			t.arena.free(tc.before.dims)
		}
		if tc.before.exitPage != v.exitPage {
			t.arena.free(tc.before.exitPage)
		}
		if tc.gone || tc.ended {
			if tc.ended && t.naming != nil {
				t.tell(tc.slot)
			}
			t.arena.free(v.dims)
			t.arena.free(v.exitPage)
			t.visits.release(tc.slot)
			continue
		}
		t.markDirty(tc.slot)
	}
	for _, s := range t.batch {
		t.markGone(s, s.moved...)
		s.touched, s.moved, s.groups = s.touched[:0], s.moved[:0], s.groups[:0]
	}
	t.touches, t.batch = t.touches[:0], t.batch[:0]
}

// counters are what a visit adds to the values it is counted under.
type counters struct{ visits, bounces, seconds, views int64 }

func (v *visit) counters() counters {
	c := counters{visits: 1, seconds: v.seconds(), views: int64(v.views)}
	if v.bounced() {
		c.bounces = 1
	}
	return c
}

func (c counters) less(o counters) counters {
	return counters{c.visits - o.visits, c.bounces - o.bounces, c.seconds - o.seconds, c.views - o.views}
}

// change writes the rows of what the record did to a visit: as few families as need to change.
func (t *Table) change(s *site, now *visit, tc *touch) {
	before := &tc.before
	switch {
	case !tc.had && tc.gone:
	case !tc.had:
		t.add(s, now, counters{}, now.counters())
	case tc.gone:
		t.add(s, before, before.counters(), counters{})
	case before.start() != now.start() || !t.sameDims(before, now):
		t.add(s, before, before.counters(), counters{})
		t.add(s, now, counters{}, now.counters())
	default:
		t.moveOn(s, before, now)
	}
}

func (t *Table) sameDims(a, b *visit) bool {
	return a.dims == b.dims || string(t.arena.get(a.dims)) == string(t.arena.get(b.dims))
}

// add writes the row that makes a visit count differently in all families.
func (t *Table) add(s *site, v *visit, was, is counters) {
	t.readDims(s, v)
	t.write(t.group(s, v.start()), window.AllFamilies, t.rowExitPage(v), is.less(was))
}

// moveOn writes the rows of a visit that has kept its window and dimensions.
func (t *Table) moveOn(s *site, before, now *visit) {
	was, is := before.counters(), now.counters()
	t.readDims(s, now)
	from, to := t.rowExitPage(before), t.rowExitPage(now)
	if from == to && is == was {
		return
	}
	g := t.group(s, now.start())
	// A visit that counts differently and has another exit page counts first as if it had one of the two all the time: a row
	// holds no page twice, if it is the entry page, and the row after has it from there.
	switch {
	case from == to:
		t.write(g, window.AllFamilies, to, is.less(was))
	case is == was || from == "":
		if is != was {
			t.write(g, window.AllButExitPage, to, is.less(was))
		}
		if from != "" {
			t.write(g, window.ExitPageOnly, from, counters{}.less(was))
		}
		t.write(g, window.ExitPageOnly, to, is)
	case to == t.row.Dims[window.EntryPage]:
		t.write(g, window.AllFamilies, to, is.less(was))
		t.write(g, window.ExitPageOnly, to, was)
		t.write(g, window.ExitPageOnly, from, counters{}.less(was))
	default:
		t.write(g, window.AllFamilies, from, is.less(was))
		t.write(g, window.ExitPageOnly, from, counters{}.less(is))
		t.write(g, window.ExitPageOnly, to, is)
	}
}

// readDims gives t.row the dimensions of a visit.
func (t *Table) readDims(s *site, v *visit) {
	r := &t.row
	r.Dims[window.EntryPage], r.Dims[window.Hostname], r.Origin, _ = cutDims(t.arena.get(v.dims), s.name)
}

// rowExitPage is exitPage for a visit whose dimensions t.row has.
func (t *Table) rowExitPage(v *visit) string {
	switch {
	case v.views == 0:
		return ""
	case v.exitPage == 0:
		return t.row.Dims[window.EntryPage]
	}
	return view(t.arena.get(v.exitPage))
}

// write writes a row with the dimensions that t.row has.
func (t *Table) write(g *group, scope window.Scope, exitPage string, c counters) {
	r := &t.row
	r.Scope = scope
	r.Dims[window.ExitPage] = exitPage
	r.Visits, r.Bounces, r.Seconds, r.Views = c.visits, c.bounces, c.seconds, c.views
	g.rows.Add(r)
}

// start returns the window of visits that the visit belongs to.
func (v *visit) start() event.Time { return v.first.Floor(window.Visits.Length()) }

// group returns the changes of a site's window. A record's visits of a site began in few quarters, so there are few.
func (t *Table) group(s *site, start event.Time) *group {
	for _, g := range s.groups {
		if g.start == start {
			return g
		}
	}
	if t.used == len(t.groups) {
		t.groups = append(t.groups, &group{})
	}
	g := t.groups[t.used]
	t.used++
	g.start, g.site = start, s
	g.rows.Reset()
	s.groups = append(s.groups, g)
	return g
}

// view returns b as a string without a copy.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
