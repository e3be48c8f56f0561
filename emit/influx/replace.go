package influx

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/influxdb"
)

// Replace writes windows that a replay has counted, whole, whatever their version. The version in
// InfluxDB stays, -1 if there is none, so that a later firing of the stream still wins. Values that
// InfluxDB has and a window has not are overwritten with zeros, which readers take for nothing; a
// window without points clears the one of its kind. Errors are those of Write.
//
// The windows are best given by site, kind and time: those of one site and kind that lie close are
// read with one query.
func (s *Sink) Replace(ctx context.Context, ws []*window.Window) error {
	if err := checkWindows(ws); err != nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	for len(ws) > 0 {
		n := 1
		for n < len(ws) && ws[n].Kind == ws[0].Kind && ws[n].Site == ws[0].Site && ws[n].Shard == ws[0].Shard &&
			ws[n].Start > ws[n-1].Start && ws[n].Start-ws[0].Start < maxSpan*ws[0].Kind.Length() {
			n++
		}
		if err := s.replace(ctx, ws[:n]); err != nil {
			return err
		}
		ws = ws[n:]
	}
	return nil
}

// replace replaces windows of one kind, site and shard, ascending, no more than one query reads.
//
// The marks go first: should the process end in the middle, the next live version of a window
// clears what is left.
func (s *Sink) replace(ctx context.Context, ws []*window.Window) error {
	kind := ws[0].Kind
	stored, err := s.readStored(ctx, []string{ws[0].Site}, span{kind, ws[0].Start, ws[len(ws)-1].Start + kind.Length()})
	if err != nil {
		return err
	}
	s.buf = s.buf[:0]
	for _, w := range ws {
		if st := stored[keyOf(w)]; len(w.Points) > 0 || st != nil {
			s.buf = appendMark(s.buf, w, st.versionOf())
		}
		s.known.forget(momentOf(w))
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	for _, w := range ws {
		st := stored[keyOf(w)]
		version := st.versionOf()
		gone, _ := compare(w, st, math.MaxInt64, version)
		if err := s.appendWindow(ctx, gone); err != nil {
			return err
		}
		c := *w
		c.Version = version
		if err := s.appendWindow(ctx, &c); err != nil {
			return err
		}
		s.stats.windows.Add(1)
	}
	return s.flush(ctx)
}

func appendMark(dst []byte, w *window.Window, version int64) []byte {
	dst = append(dst, replacedName(w.Kind)...)
	if w.Shard != 0 {
		dst = fmt.Appendf(dst, ",shard=%d", w.Shard)
	}
	// A site's id holds nothing that would have to be escaped.
	return fmt.Appendf(dst, ",site=%s version=%di %d\n", w.Site, version, w.Start/event.Second)
}

// sitesAtOnce is how many sites one query names: parsers of InfluxQL recurse into every OR.
const sitesAtOnce = 50

// findGone fills in the zeros of windows that may have lost values. That is so for all that were
// there before this process knew them, after a restart and a rebalance, and else after a replay
// only: the stream adds values and takes none away. So windows are read in bulk, by span and by
// site.
func (s *Sink) findGone(ctx context.Context, outs []out) error {
	var list []moment
	for i := range outs {
		if outs[i].read {
			list = append(list, momentOf(outs[i].w))
		}
	}
	slices.SortFunc(list, moment.compare)
	for _, sp := range spans(slices.Compact(list)) {
		bySite := map[string][]*out{}
		for i := range outs {
			if o := &outs[i]; o.read && sp.holds(momentOf(o.w)) {
				bySite[o.w.Site] = append(bySite[o.w.Site], o)
			}
		}
		for sites := range slices.Chunk(slices.Sorted(maps.Keys(bySite)), sitesAtOnce) {
			stored, err := s.readStored(ctx, sites, sp)
			if err != nil {
				return err
			}
			for _, site := range sites {
				for _, o := range bySite[site] {
					var kept []value
					o.gone, kept = compare(o.w, stored[keyOf(o.w)], o.w.Version, o.w.Version)
					for _, v := range kept {
						o.values = union(o.values, []uint64{s.hash(v)})
					}
				}
			}
		}
	}
	return nil
}

type value struct {
	family window.Family
	dims   [2]string
}

// stored is what InfluxDB holds of one window.
type stored struct {
	version int64           // the largest
	values  map[value]int64 // those that are not zero, with their versions
}

func (s *stored) versionOf() int64 {
	if s == nil {
		return neverLive
	}
	return s.version
}

func valuesOf(w *window.Window) map[value]bool {
	have := make(map[value]bool, len(w.Points))
	for i := range w.Points {
		have[value{w.Points[i].Family, w.Points[i].Dims}] = true
	}
	return have
}

// compare returns, of the values that st has and w has not, those of a version below a limit as
// zeros, which are to carry a version, and the others, which are of other parts of w's firing.
func compare(w *window.Window, st *stored, below, version int64) (gone *window.Window, kept []value) {
	gone = &window.Window{Kind: w.Kind, Site: w.Site, Shard: w.Shard, Start: w.Start, Version: version, Final: w.Final}
	if st == nil {
		return gone, nil
	}
	have := valuesOf(w)
	for v, of := range st.values {
		switch {
		case have[v]:
		case of < below:
			gone.Points = append(gone.Points, window.Point{Family: v.family, Dims: v.dims})
		default:
			kept = append(kept, v)
		}
	}
	return gone, kept
}

// readStored reads which values windows of a span have.
func (s *Sink) readStored(ctx context.Context, sites []string, sp span) (map[windowKey]*stored, error) {
	var list, any []string
	for f := range window.NumFamilies {
		if f.In(sp.kind) {
			list = append(list, window.Measurement(sp.kind, f))
		}
	}
	for _, site := range sites {
		any = append(any, influxdb.QuoteName(siteTag)+" = "+influxdb.Quote(site))
	}
	q := fmt.Sprintf(`SELECT %s FROM %s WHERE (%s) AND %s GROUP BY *`,
		names(append(valueFields(sp.kind), versionField)...), names(list...), strings.Join(any, " OR "), between(sp))
	var out map[windowKey]*stored
	err := s.send.persist(ctx, sortRead, func() error {
		out = map[windowKey]*stored{}
		err := s.client.Query(ctx, q, func(series *influxdb.Series) error {
			addStored(out, series)
			return nil
		})
		if influxdb.NoDatabase(err) {
			return nil
		}
		return err
	})
	return out, err
}

func addStored(out map[windowKey]*stored, series *influxdb.Series) {
	kind, f, known := window.ParseMeasurement(series.Name)
	st, ok := streamOf(series.Tags)
	if !known || !ok {
		return
	}
	v := value{family: f}
	for i, d := range f.Dims() {
		v.dims[i] = series.Tags[d.String()]
	}
	at, version := series.Column(timeColumn), series.Column(versionField)
	var columns []int
	for _, name := range valueFields(kind) {
		columns = append(columns, series.Column(name))
	}
	for _, row := range series.Values {
		sec, ok := influxdb.Int(row, at)
		if !ok {
			continue
		}
		key := windowKey{st, moment{kind, event.Time(sec) * event.Second}}
		w := out[key]
		if w == nil {
			w = &stored{version: neverLive, values: map[value]int64{}}
			out[key] = w
		}
		n, _ := influxdb.Int(row, version)
		w.version = max(w.version, n)
		for _, c := range columns {
			if count, _ := influxdb.Int(row, c); count != 0 {
				w.values[v] = n
				break
			}
		}
	}
}
