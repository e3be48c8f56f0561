package hitread_test

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/engine/window"
	"millrace/internal/country"
)

// question is a query as it is generated. Its answer is found here by looking at each event, with no code of package query.
type question struct {
	Site       string    `json:"site_id"`
	Metrics    []string  `json:"metrics"`
	Range      [2]string `json:"date_range"`
	Dimensions []string  `json:"dimensions,omitempty"`
	Filters    []any     `json:"filters,omitempty"`
	zone       *time.Location
	from, to   event.Time
}

// truth is a logical value: yes, no, or unknown, as in SQL.
type truth int8

const (
	no      truth = -1
	unknown truth = 0
	yes     truth = 1
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// subject is what a filter is asked about: an event with one of the goals that it reaches ("" if none), or a visit with one of
// its events, or both.
type subject struct {
	b     *brute
	hit   *hits.Hit
	goal  string
	visit *visit.Visit // if visits are counted
	of    *ofVisit     // what the event or the visit is of, nil if none
}

// ofVisit is a visit with all of its events.
type ofVisit struct {
	visit  *visit.Visit
	events []*hits.Hit
}

// brute knows all events and visits.
type brute struct {
	hits   []*hits.Hit
	visits []*ofVisit
	of     map[*hits.Hit]*ofVisit
}

func newBrute(w *world) *brute {
	b := &brute{of: map[*hits.Hit]*ofVisit{}}
	for p := range partitions {
		folds, all := map[visit.ID]*hits.Fold{}, map[visit.ID]*ofVisit{}
		for _, h := range w.hits[p] {
			b.hits = append(b.hits, h)
			if h.Visit == 0 {
				continue
			}
			id := w.joins[p].Of(h.Visit)
			if folds[id] == nil {
				folds[id], all[id] = hits.NewFold(id), &ofVisit{}
			}
			folds[id].Add(h)
			b.of[h] = all[id]
			if h.Class == hits.Human {
				all[id].events = append(all[id].events, h)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(all)) { // so that a seed makes the same questions
			all[id].visit = folds[id].Visit()
			b.visits = append(b.visits, all[id])
		}
	}
	return b
}

var names = map[string]window.Dim{
	"event:page": window.Page, "event:hostname": window.Hostname, "event:name": window.Name, "event:bot_reason": window.Reason,
	"visit:entry_page": window.EntryPage, "visit:exit_page": window.ExitPage, "visit:source": window.Source, "visit:referrer": window.Referrer,
	"visit:channel": window.Channel, "visit:utm_source": window.UTMSource, "visit:utm_medium": window.UTMMedium,
	"visit:utm_campaign": window.UTMCampaign, "visit:country": window.Country, "visit:country_name": window.Country, "visit:region": window.Region,
	"visit:city": window.City, "visit:browser": window.Browser, "visit:browser_version": window.BrowserVersion, "visit:os": window.OS,
	"visit:os_version": window.OSVersion, "visit:device": window.Device, "visit:screen": window.Screen, "visit:language": window.Language,
}

// value returns the value of a dimension, and false if there is not even (none).
func (s *subject) value(dim string) (v string, ok bool) {
	ok = true
	switch {
	case dim == "event:goal":
		return s.goal, s.goal != ""
	case strings.HasPrefix(dim, "event:props:"):
		for _, p := range s.hit.Row.Props {
			if p.Key == strings.TrimPrefix(dim, "event:props:") {
				v = p.Value
			}
		}
	case s.visit != nil && dim == "event:page":
		v = s.visit.Dims[window.EntryPage]
		ok = v != ""
	case s.visit != nil && dim != "event:name":
		v = s.visit.Dims[names[dim]]
	case dim == "visit:exit_page":
		if s.of != nil {
			v = s.of.visit.Dims[window.ExitPage]
		}
	default:
		v = s.hit.Dims()[names[dim]]
	}
	if v == "" {
		v = "(none)"
	}
	if dim == "visit:country_name" {
		v = cmp.Or(country.Name(v), v)
	}
	return v, ok
}

func (s *subject) passes(filter any) truth {
	f := filter.([]any)
	switch op := f[0].(string); op {
	case "and", "or":
		all := []truth{}
		for _, sub := range f[1].([]any) {
			all = append(all, s.passes(sub))
		}
		if op == "and" {
			return slices.Min(all)
		}
		return slices.Max(all)
	case "not":
		return -s.passes(f[1])
	case "has_done":
		return truthOf(s.hasDone(f[1]))
	case "has_not_done":
		return truthOf(!s.hasDone(f[1]))
	default:
		v, ok := s.value(f[1].(string))
		if !ok {
			return unknown
		}
		found := slices.ContainsFunc(f[2].([]any), func(c any) bool {
			switch c := c.(string); strings.TrimSuffix(op, "_not") {
			case "contains":
				return strings.Contains(v, c)
			case "matches":
				if patterns[c] == nil {
					patterns[c] = regexp.MustCompile(c)
				}
				return patterns[c].MatchString(v)
			default:
				return v == c
			}
		})
		return truthOf(found != strings.HasSuffix(op, "_not"))
	}
}

var patterns = map[string]*regexp.Regexp{}

func (s *subject) hasDone(filter any) bool {
	if s.of == nil {
		return false
	}
	return slices.ContainsFunc(s.of.events, func(h *hits.Hit) bool {
		return slices.ContainsFunc(withGoals(h), func(goal string) bool {
			one := subject{b: s.b, hit: h, goal: goal, of: s.of}
			return one.passes(filter) == yes
		})
	})
}

// withGoals returns the goals that an event reaches, and "".
func withGoals(h *hits.Hit) []string {
	d := h.Dims()
	return append(reached(d[window.Name], d[window.Page], h.Pageview()), "")
}

func (s *subject) passesAll(filters []any) bool {
	return len(filters) == 0 || s.passes([]any{"and", filters}) == yes
}

// uses reports whether a query or a filter names a dimension, outside of has_done.
func (q *question) uses(dim string) bool {
	text, _ := json.Marshal(withoutDone(q.Filters))
	return slices.Contains(q.Dimensions, dim) || strings.Contains(string(text), `"`+dim+`"`)
}

func withoutDone(filters []any) (rest []any) {
	for _, f := range filters {
		list := f.([]any)
		switch list[0] {
		case "has_done", "has_not_done":
		case "and", "or":
			rest = append(rest, []any{list[0], withoutDone(list[1].([]any))})
		case "not":
			rest = append(rest, withoutDone([]any{list[1]})...)
		default:
			rest = append(rest, f)
		}
	}
	return rest
}

// sums are those of a row.
type sums struct {
	events, pageviews, paid        int64
	revenue                        event.Money
	visits, bounces, secs, viewsOf int64
	scroll                         map[*ofVisit]int64
	engaged                        map[*ofVisit]event.Time
	visitors                       map[event.Visitor]bool
}

// answer returns the rows by their dimensions.
func (b *brute) answer(q *question) map[string][]any {
	rows := b.sums(q, q.Dimensions, q.Filters)
	all := b.sums(q, nil, q.Filters)[""]
	rest := withoutGoals(q.Filters)
	base := b.sums(q, nil, rest)[""]
	var others []string
	for _, d := range q.Dimensions {
		if d != "event:goal" {
			others = append(others, d)
		}
	}
	byGroup := b.sums(q, others, rest)
	answer := map[string][]any{}
	for key, s := range rows {
		dims := strings.Split(key, "\x00")
		var group []string
		for i, d := range q.Dimensions {
			if d != "event:goal" {
				group = append(group, dims[i])
			}
		}
		ofGroup := 0
		if g := byGroup[strings.Join(group, "\x00")]; g != nil {
			ofGroup = len(g.visitors)
		}
		for _, m := range q.Metrics {
			if m == "exit_rate" {
				answer[key] = append(answer[key], b.exitRate(q, key, s.visits))
				continue
			}
			answer[key] = append(answer[key], s.metric(m, len(all.visitors), len(base.visitors), ofGroup))
		}
	}
	return answer
}

// exitRate is how many of the views of a row's exit page were the last of a visit.
func (b *brute) exitRate(q *question, key string, visits int64) any {
	views := *q
	views.Metrics, views.Dimensions, views.Filters = []string{"pageviews"}, slices.Clone(q.Dimensions), nil
	views.Dimensions[slices.Index(q.Dimensions, "visit:exit_page")] = "event:page"
	for _, f := range q.Filters {
		if text, _ := json.Marshal(f); !strings.Contains(string(text), `"visit:exit_page"`) {
			views.Filters = append(views.Filters, f)
		}
	}
	of := b.sums(&views, views.Dimensions, views.Filters)[key]
	if of == nil || of.pageviews == 0 {
		return nil
	}
	return math.RoundToEven(float64(visits)*1000/float64(of.pageviews)) / 10
}

// withoutGoals returns the filters that are not of goals or properties.
func withoutGoals(filters []any) (rest []any) {
	for _, f := range filters {
		text, _ := json.Marshal(withoutDone([]any{f}))
		if !strings.Contains(string(text), `"event:goal"`) && !strings.Contains(string(text), `"event:props:`) {
			rest = append(rest, f)
		}
	}
	return rest
}

func (s *sums) metric(m string, all, base, group int) any {
	round := func(part, of, scale, precision float64) any {
		if of == 0 {
			return nil
		}
		return math.RoundToEven(part*(scale*precision)/of) / precision
	}
	switch m {
	case "visitors":
		return float64(len(s.visitors))
	case "visits":
		return float64(s.visits)
	case "pageviews":
		return float64(s.pageviews)
	case "events":
		return float64(s.events)
	case "views_per_visit":
		return round(float64(s.viewsOf), float64(s.visits), 1, 100)
	case "bounce_rate":
		return round(float64(s.bounces), float64(s.visits), 100, 1)
	case "visit_duration":
		return round(float64(s.secs), float64(s.visits), 1, 1)
	case "percentage":
		return round(float64(len(s.visitors)), float64(all), 100, 10)
	case "conversion_rate":
		return round(float64(len(s.visitors)), float64(base), 100, 10)
	case "group_conversion_rate":
		return round(float64(len(s.visitors)), float64(group), 100, 10)
	case "scroll_depth":
		n := int64(0)
		for _, depth := range s.scroll {
			n += depth
		}
		return round(float64(n), float64(len(s.scroll)), 1, 1)
	case "time_on_page":
		var n event.Time
		for _, t := range s.engaged {
			n += t
		}
		return round(float64(n)/1000, float64(len(s.engaged)), 1, 1)
	case "total_revenue":
		return float64(s.revenue) / event.MoneyScale
	case "average_revenue":
		return round(float64(s.revenue), float64(s.paid), 1./event.MoneyScale, event.MoneyScale)
	}
	panic("unknown metric " + m)
}

func (b *brute) sums(q *question, dims []string, filters []any) map[string]*sums {
	all := map[string]*sums{}
	at := func(key string) *sums {
		if all[key] == nil {
			all[key] = &sums{visitors: map[event.Visitor]bool{}, scroll: map[*ofVisit]int64{}, engaged: map[*ofVisit]event.Time{}}
		}
		return all[key]
	}
	if len(dims) == 0 {
		at("")
	}
	class := hits.Human
	if q.uses("event:bot_reason") {
		class = hits.Bot
	}
	one := &question{Dimensions: dims, Filters: filters}
	goalDim := slices.Contains(dims, "event:goal")
	if slices.ContainsFunc(q.Metrics, func(m string) bool { return !slices.Contains(ofVisits, m) }) {
		for _, h := range b.hits {
			if h.Site != q.Site || h.Class != class || h.Time < q.from || h.Time >= q.to {
				continue
			}
			list := []string{""}
			if one.uses("event:goal") {
				if list = withGoals(h); len(list) > 1 {
					list = list[:len(list)-1]
				}
			}
			for _, goal := range list {
				s := &subject{b: b, hit: h, goal: goal, of: b.of[h]}
				if goal == "" && goalDim || !s.passesAll(filters) {
					continue
				}
				key, ok := s.key(q, dims, h.Time)
				if !ok {
					continue
				}
				c := at(key)
				c.events++
				if h.Pageview() {
					c.pageviews++
				}
				c.revenue += h.Row.Revenue
				if h.Row.Paid {
					c.paid++
				}
				if h.Row.Visitor != 0 {
					c.visitors[h.Row.Visitor] = true
				}
			}
		}
	}
	visited := slices.ContainsFunc(q.Metrics, func(m string) bool { return slices.Contains(ofVisits, m) })
	for _, v := range b.visits {
		if !visited || v.visit.Site != q.Site || v.visit.Events == 0 || v.visit.Begin < q.from || v.visit.Begin >= q.to {
			continue
		}
		if !slices.ContainsFunc(v.events, func(h *hits.Hit) bool {
			return slices.ContainsFunc(withGoals(h), func(goal string) bool {
				s := &subject{b: b, hit: h, goal: goal, visit: v.visit, of: v}
				return s.passesAll(filters)
			})
		}) {
			continue
		}
		s := &subject{b: b, visit: v.visit, of: v}
		key, ok := s.key(q, dims, v.visit.Begin)
		if !ok {
			continue
		}
		c := at(key)
		c.visits++
		c.secs += v.visit.Seconds()
		c.viewsOf += int64(v.visit.Views)
		if v.visit.Bounced() {
			c.bounces++
		}
	}
	if len(all) > 0 && slices.ContainsFunc(q.Metrics, func(m string) bool { return m == "scroll_depth" || m == "time_on_page" }) {
		for _, h := range b.hits {
			s := &subject{b: b, hit: h, of: b.of[h]}
			if h.Site != q.Site || h.Class != hits.Ping || s.of == nil || h.Time < q.from || h.Time >= q.to || !s.passesAll(filters) {
				continue
			}
			key, ok := s.key(q, dims, h.Time)
			if !ok || all[key] == nil {
				continue // rows are of events
			}
			if n, ok := h.Scroll.Value(); ok {
				old, known := all[key].scroll[s.of]
				if !known || old < n {
					all[key].scroll[s.of] = n
				}
			}
			if h.Engaged > 0 {
				all[key].engaged[s.of] += h.Engaged
			}
		}
	}
	return all
}

var ofVisits = []string{"visits", "views_per_visit", "bounce_rate", "visit_duration", "exit_rate"}

// key returns the values of dimensions, false if one is not there.
func (s *subject) key(q *question, dims []string, at event.Time) (string, bool) {
	var list []string
	for _, d := range dims {
		if unit, ok := strings.CutPrefix(d, "time:"); ok {
			list = append(list, bucketOf(unit, at.Std().In(q.zone)))
			continue
		}
		v, ok := s.value(d)
		if !ok {
			return "", false
		}
		list = append(list, v)
	}
	return strings.Join(list, "\x00"), true
}

func bucketOf(unit string, t time.Time) string {
	switch unit {
	case "minute":
		return t.Format("2006-01-02 15:04:00")
	case "hour":
		return t.Format("2006-01-02 15:00:00")
	case "day":
		return t.Format(time.DateOnly)
	case "week":
		y, m, d := t.Date()
		return time.Date(y, m, d-(int(t.Weekday())+6)%7, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	}
	return t.Format("2006-01") + "-01"
}
