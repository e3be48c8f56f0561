package hitmerge

import (
	"cmp"
	"slices"

	"millrace/emit/lake/commits"
	"millrace/engine/event"
)

// Policy says when files are merged. Zero fields take their defaults.
type Policy struct {
	// Segments is how many segments of a day are merged to a file of an hour. Default 60: a segment is of a minute.
	Segments int
	// SegmentRows is how many rows are, in fewer segments. Default 524,288, which bounds the memory of a merge.
	SegmentRows int64
	// MaxRows is how many rows a file has at most. Default 8,388,608: some 120 MB, which is held in memory until it is put.
	MaxRows int64
	// DayFiles is how many files a day has in the end, if they are not full. Default 4.
	DayFiles int
	// Additions is how many segments come to a day that was merged, before they are merged to it while more are coming. Default 16.
	Additions int
	// Inputs is how many files are merged at most. Default 64.
	Inputs int
	// Settle is how long after a day's end its visits may still go on, and its files are left as they are of hours. Default 14 hours: the
	// longest visit, a timeout, the usual lateness and half an hour. What comes later is merged to the day's files; nothing but work
	// depends on it.
	Settle event.Time
}

func (p Policy) withDefaults() Policy {
	p.Segments = cmp.Or(p.Segments, 60)
	p.SegmentRows = cmp.Or(p.SegmentRows, 512<<10)
	p.MaxRows = cmp.Or(p.MaxRows, 8<<20)
	p.DayFiles = cmp.Or(p.DayFiles, 4)
	p.Additions = cmp.Or(p.Additions, 16)
	p.Inputs = cmp.Or(p.Inputs, 64)
	p.Settle = cmp.Or(p.Settle, 14*event.Hour)
	return p
}

// Planned is a merge to do: all of Inputs, which are of one table and day, to one file.
type Planned struct {
	Table  commits.Table
	Day    event.Time
	Level  commits.Level
	Inputs []*commits.File
}

// Rows returns how many rows the file will have.
func (p *Planned) Rows() int64 { return rowsOf(p.Inputs) }

// Range returns the offsets of the log that the file will be of.
func (p *Planned) Range() (first, next int64) {
	first, next = p.Inputs[0].First, p.Inputs[0].Next
	for _, f := range p.Inputs {
		first, next = min(first, f.First), max(next, f.Next)
	}
	return first, next
}

const (
	dayLength = 24 * event.Hour
	// quietRecords is how many records later than the newest segment of a day no more are expected soon, if there are no segments since.
	// A collector writes a record each second, be there events or not.
	quietRecords = 3600
)

// partition is what plans of a partition have in common.
type partition struct {
	Policy
	next      int64
	watermark event.Time
	merged    int64 // First of the newest file that is not a segment
	segment   int64 // Next of the newest segment
}

// Plan returns what to merge next of a partition, nil for nothing. Files are all that are live, of any tables and days; next and
// watermark are how far the log has been read.
//
// While a day is going on and a while after, its segments become files of hours, sixty at a time; then all become one file, or as many as
// are full. What comes to the day afterwards is merged when it makes more than Policy.DayFiles: the smallest of all files, and larger
// ones as long as each is no larger than those before it together. So a row is written again only with as many others as it was before, and
// the day's large file last.
func Plan(files []*commits.File, next int64, watermark event.Time, policy Policy) *Planned {
	p := &partition{Policy: policy.withDefaults(), next: next, watermark: watermark, merged: -1, segment: -1}
	type of struct {
		table commits.Table
		day   event.Time
	}
	days := map[of][]*commits.File{}
	for _, f := range files {
		days[of{f.Table, f.Day}] = append(days[of{f.Table, f.Day}], f)
		if f.Level == commits.Segment {
			p.segment = max(p.segment, f.Next)
		} else {
			p.merged = max(p.merged, f.First)
		}
	}
	var best *Planned
	for at, list := range days {
		slices.SortFunc(list, func(x, y *commits.File) int {
			return cmp.Or(cmp.Compare(x.First, y.First), cmp.Compare(x.Next, y.Next), cmp.Compare(x.Key, y.Key))
		})
		level, inputs := p.day(at.day, list)
		if len(inputs) < 2 {
			continue
		}
		plan := &Planned{at.table, at.day, level, inputs}
		// The merge that takes most files away is the first.
		if best == nil || cmp.Or(-cmp.Compare(len(plan.Inputs), len(best.Inputs)), cmp.Compare(plan.Day, best.Day), cmp.Compare(plan.Table, best.Table)) < 0 {
			best = plan
		}
	}
	return best
}

// day returns what to merge of a table's day, whose files are in order of the log.
func (p *partition) day(day event.Time, list []*commits.File) (commits.Level, []*commits.File) {
	var segments, hours, days []*commits.File
	for _, f := range list {
		switch f.Level {
		case commits.Segment:
			segments = append(segments, f)
		case commits.Hourly:
			hours = append(hours, f)
		default:
			days = append(days, f)
		}
	}
	closed := p.watermark >= day+dayLength+p.Settle
	switch {
	case closed:
		if len(hours) > 0 || len(days) == 0 {
			if all := p.fit(append(hours, segments...)); all != nil {
				return commits.Daily, all
			}
		}
		return commits.Daily, p.additions(list, segments)
	case len(segments) >= p.Segments || rowsOf(segments) >= p.SegmentRows:
		return commits.Hourly, p.fit(segments)
	case len(hours) >= p.Segments || rowsOf(hours) >= p.MaxRows:
		return commits.Daily, p.fit(hours)
	}
	return 0, nil
}

// fit returns the first files, of those that follow one another, that together have no more rows than a file may have; nil if no two do.
func (p *partition) fit(list []*commits.File) []*commits.File {
	for from := range list {
		rows, to := int64(0), from
		for ; to < len(list) && to-from < p.Inputs && rows+list[to].Rows <= p.MaxRows; to++ {
			rows += list[to].Rows
		}
		if to-from > 1 {
			return list[from:to]
		}
	}
	return nil
}

// additions returns what to merge of a day that was merged before.
func (p *partition) additions(list, segments []*commits.File) []*commits.File {
	full := 0
	for _, f := range list {
		if f.Rows > p.MaxRows/2 {
			full++
		}
	}
	most := max(p.DayFiles, full+1)
	if len(list) <= most || len(segments) > 0 && len(segments) < p.Additions && !p.quiet(segments) {
		return nil
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(x, y *commits.File) int { return cmp.Compare(x.Rows, y.Rows) })
	rows := int64(0)
	for i, f := range list {
		if i == p.Inputs || i > len(list)-most && f.Rows > rows || i > 0 && rows+f.Rows > p.MaxRows {
			return list[:i]
		}
		rows += f.Rows
	}
	return list
}

// quiet reports whether no more segments are expected behind some of a day.
func (p *partition) quiet(segments []*commits.File) bool {
	last := int64(0)
	for _, f := range segments {
		last = max(last, f.Next)
	}
	return p.merged >= last || p.segment <= last && p.next >= last+quietRecords
}

func rowsOf(list []*commits.File) (rows int64) {
	for _, f := range list {
		rows += f.Rows
	}
	return rows
}
