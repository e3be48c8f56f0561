package readertest

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
)

func in(d window.Dim, values ...string) func(*[window.NumDims]string) bool {
	return func(dims *[window.NumDims]string) bool { return slices.Contains(values, dims[d]) }
}

// testQuery sends queries of everything about a few days.
func testQuery(t *testing.T, s *store) {
	all := s.fill(seeded(20), "2024-01-29T00:00:00Z", "2024-02-04T00:00:00Z", "2024-02-01T07:00:00Z", 150, 20)
	reader := &watched{Reader: s.reader}
	f := func(q apiQuery) {
		t.Helper()
		if q.zone == "" {
			q.zone = "UTC"
		}
		if q.from == "" {
			q.from, q.to = "2024-01-30", "2024-02-02"
		}
		checkQuery(t, reader, all, &q)
	}
	for _, set := range []metricSet{ofEvents, ofVisits, ofBoth} {
		f(apiQuery{set: set})
		f(apiQuery{set: set, from: "2024-03-01", to: "2024-03-02"}) // nothing there
		f(apiQuery{set: set, from: "2024-01-30T10:15:00Z", to: "2024-01-31T09:59:59Z"})
		f(apiQuery{set: set, dimensions: []string{"event:page"}, from: "2024-03-01", to: "2024-03-02"})
		f(apiQuery{set: set, dimensions: []string{"visit:country", "visit:browser"}})
		f(apiQuery{set: set, dimensions: []string{"visit:browser", "visit:country_name", "time:day"}})
		f(apiQuery{set: set, dimensions: []string{"visit:region_name", "visit:country"}})
		f(apiQuery{set: set, filters: `[["is","event:page",["/page/1","/it's","/a,b=c"]]]`, filterDims: []window.Dim{window.Page}, pass: in(window.Page, "/page/1", "/it's", "/a,b=c")})
		f(apiQuery{set: set, filters: `[["is","visit:browser",["Chrome","Safari"]]]`, dimensions: []string{"time:hour", "visit:country_name"}, filterDims: []window.Dim{window.Browser}, pass: in(window.Browser, "Chrome", "Safari")})
		f(apiQuery{set: set, filters: `[["is","visit:os_version",["11"]],["contains","visit:os",["MAC"],{"case_sensitive":false}]]`, filterDims: []window.Dim{window.OS, window.OSVersion}, pass: in(window.OSVersion, "11"), dimensions: []string{"visit:os"}}.and(in(window.OS, "Mac OS")))
	}
	for d := range columnOf {
		for _, set := range setsFor(d) {
			q := apiQuery{set: set, dimensions: []string{d}}
			if prop, ok := strings.CutPrefix(d, "event:props:"); ok {
				q.prop = prop
			}
			f(q)
			q.dimensions = []string{"time:day", d}
			f(q)
		}
	}
	for _, u := range []string{"time:minute", "time:hour", "time:day", "time:week", "time:month"} {
		for _, set := range setsFor(u) {
			f(apiQuery{set: set, dimensions: []string{u}})
			f(apiQuery{set: set, dimensions: []string{u, "visit:country"}, zone: "Asia/Kolkata"})
			f(apiQuery{set: set, dimensions: []string{"visit:os", u}, zone: "America/New_York", from: "2024-01-28", to: "2024-02-05"})
		}
	}
	testFilters(f)
	if reader.scans[window.Hour] < 50 {
		t.Errorf("hours were read %d times", reader.scans[window.Hour])
	}
}

// and adds a condition to what a row has to pass.
func (q apiQuery) and(also func(*[window.NumDims]string) bool) apiQuery {
	pass := q.pass
	q.pass = func(dims *[window.NumDims]string) bool { return pass(dims) && also(dims) }
	return q
}

// testFilters sends queries with operators, junctions, goals and properties.
func testFilters(f func(apiQuery)) {
	matching := func(d window.Dim, ok func(string) bool) func(*[window.NumDims]string) bool {
		return func(dims *[window.NumDims]string) bool { return ok(dims[d]) }
	}
	f(apiQuery{filters: `[["is","visit:country_name",["Germany"]]]`, dimensions: []string{"time:day"}, filterDims: []window.Dim{window.Country}, pass: in(window.Country, "DE")})
	f(apiQuery{filters: `[["is_not","visit:country",["DE"]]]`, filterDims: []window.Dim{window.Country}, pass: in(window.Country, "FR", "US", "EE", window.None)})
	f(apiQuery{
		filters:    `[["or",[["and",[["is","visit:country",["DE","FR"]],["not",["is","visit:browser",["Chrome"]]]]],["is","visit:country",["ee"],{"case_sensitive":false}]]]]`,
		filterDims: []window.Dim{window.Country, window.Browser},
		dimensions: []string{"visit:country"},
		pass: func(dims *[window.NumDims]string) bool {
			c, b := dims[window.Country], dims[window.Browser]
			return (c == "DE" || c == "FR") && b != "Chrome" || c == "EE"
		},
	})
	page := func(filter string, ok func(string) bool) {
		f(apiQuery{filters: filter, filterDims: []window.Dim{window.Page}, pass: matching(window.Page, ok)})
		f(apiQuery{filters: filter, filterDims: []window.Dim{window.Page}, pass: matching(window.Page, ok), dimensions: []string{"event:page", "time:day"}, set: ofBoth})
	}
	page(`[["contains","event:page",["page","'"]]]`, func(v string) bool { return strings.Contains(v, "page") || strings.Contains(v, "'") })
	page(`[["contains_not","event:page",["PAGE"]]]`, func(v string) bool { return true })
	page(`[["contains_not","event:page",["PAGE"],{"case_sensitive":false}]]`, func(v string) bool { return !strings.Contains(v, "page") })
	page(`[["matches","event:page",["^/page/[0-3]$"]]]`, func(v string) bool { return len(v) == 7 && v >= "/page/0" && v <= "/page/3" })
	page(`[["matches_not","event:page",["^/PAGE","ü"],{"case_sensitive":false}]]`, func(v string) bool { return !strings.HasPrefix(v, "/page") && !strings.Contains(v, "ü") })

	goal := func(name string) (string, func(*[window.NumDims]string) bool) {
		return `[["is","event:goal",["` + name + `"]]]`, in(window.Goal, name)
	}
	filter, pass := goal("Purchase")
	for d := range columnOf {
		switch d {
		case "event:goal", "event:name", "event:bot_reason", "event:props:plan", "visit:exit_page", "visit:language", "visit:browser_version", "visit:os_version", "visit:screen":
			continue // of which there is no cross with goals
		}
		f(apiQuery{filters: filter, filterDims: []window.Dim{window.Goal}, pass: pass, dimensions: []string{d}})
	}
	f(apiQuery{filters: filter, filterDims: []window.Dim{window.Goal}, pass: pass, dimensions: []string{"time:hour"}})
	f(apiQuery{filters: `[["matches","event:goal",["a"]]]`, filterDims: []window.Dim{window.Goal}, pass: matching(window.Goal, func(v string) bool { return strings.Contains(v, "a") }), dimensions: []string{"event:goal", "visit:source"}})
	f(apiQuery{filters: `[["is","event:props:author",["Ann, B."]]]`, prop: "author", filterDims: []window.Dim{window.PropValue}, pass: in(window.PropValue, "Ann, B.")})
	f(apiQuery{filters: `[["is_not","event:props:plan",["free","(none)"]]]`, prop: "plan", filterDims: []window.Dim{window.PropValue}, pass: matching(window.PropValue, func(v string) bool { return v != "free" && v != window.None }), dimensions: []string{"event:props:plan", "time:week"}})
	for name, d := range map[string]window.Dim{
		"event:props:plan": window.PropValue, "visit:utm_source": window.UTMSource, "visit:region": window.Region, "visit:city_name": window.City, "visit:referrer": window.Referrer,
		"visit:source": window.Source, "visit:channel": window.Channel, "visit:entry_page": window.EntryPage, "visit:exit_page": window.ExitPage,
	} {
		sets := setsFor(name)
		none := func(filter string, ok func(string) bool) {
			for _, set := range sets {
				for _, dims := range [][]string{nil, {"time:day", name}} {
					q := apiQuery{set: set, filters: strings.ReplaceAll(filter, "DIM", name), filterDims: []window.Dim{d}, pass: matching(d, ok), dimensions: dims}
					q.prop, _ = strings.CutPrefix(name, "event:props:")
					if q.prop == name {
						q.prop = ""
					}
					f(q)
				}
			}
		}
		none(`[["is","DIM",["(none)"]]]`, func(v string) bool { return v == window.None })
		none(`[["is_not","DIM",["(none)"]]]`, func(v string) bool { return v != window.None })
		absent := cmp.Or(map[window.Dim]string{window.Region: "US-CA", window.EntryPage: "/x", window.ExitPage: "/x", window.Channel: "Audio"}[d], "nothing")
		none(`[["is_not","DIM",["`+absent+`"]]]`, func(string) bool { return true })
		none(`[["contains_not","DIM",["a"]]]`, func(v string) bool { return !strings.Contains(v, "a") })
		none(`[["matches_not","DIM",["^[A-Z]"]]]`, func(v string) bool { return !(v != "" && v[0] >= 'A' && v[0] <= 'Z') })
	}
	f(apiQuery{set: ofBoth, dimensions: []string{"visit:country", "visit:region"}, filters: `[["is_not","visit:region",["DE-BE"]],["is","visit:country",["DE","EE"]]]`, filterDims: []window.Dim{window.Country, window.Region}, pass: func(dims *[window.NumDims]string) bool {
		return dims[window.Region] != "DE-BE" && (dims[window.Country] == "DE" || dims[window.Country] == "EE")
	}})
	f(apiQuery{dimensions: []string{"visit:utm_campaign", "time:day"}, filters: `[["is","event:goal",["Purchase"]],["is_not","visit:utm_campaign",["x"]]]`, filterDims: []window.Dim{window.Goal}, pass: in(window.Goal, "Purchase")})
	f(apiQuery{filters: `[["is_not","event:props:plan",["free"]]]`, prop: "plan", filterDims: []window.Dim{window.PropValue}, pass: matching(window.PropValue, func(v string) bool { return v != "free" }), dimensions: []string{"event:props:plan", "time:week"}})
}

// testQueryTiers sends random queries, of days in which the clocks change and in zones off the
// hour. Each is answered from hours where they fit and from minutes alone, which has to come to the
// same.
func testQueryTiers(t *testing.T, s *store) {
	r := seeded(22)
	units := []string{"", "time:hour", "time:day", "time:week", "time:month", "time:minute"}
	var dims []string
	for d := range columnOf {
		dims = append(dims, d)
	}
	slices.Sort(dims)
	for _, place := range []struct{ zone, day string }{
		{"Asia/Kolkata", "2025-02-01"}, {"Asia/Kathmandu", "2025-06-01"}, {"America/New_York", "2025-03-09"},
		{"America/New_York", "2025-11-02"}, {"Australia/Lord_Howe", "2025-04-06"}, {"Australia/Lord_Howe", "2025-10-05"}, {"America/St_Johns", "2024-03-10"},
	} {
		s.model = map[key]stored{}
		loc := mustZone(t, place.zone)
		day := mustTime(t, place.day+"T00:00:00Z")
		stamp := func(at event.Time) string { return at.Std().Format(time.RFC3339) }
		from, to := day-40*event.Hour, day+64*event.Hour
		all := s.fill(r, stamp(from), stamp(to), stamp(day+event.Time(r.IntN(60))*event.Hour), 80, 5)
		for range 25 {
			q := apiQuery{zone: place.zone}
			var ds []string
			if u := units[r.IntN(len(units))]; u != "" {
				ds = append(ds, u)
			}
			if r.IntN(2) == 0 {
				ds = append(ds, dims[r.IntN(len(dims))])
			}
			q.dimensions = ds
			if slices.Contains(ds, "event:props:plan") {
				q.prop = "plan"
			}
			sets := []metricSet{ofEvents, ofVisits, ofBoth}
			for _, d := range ds {
				sets = slices.DeleteFunc(sets, func(m metricSet) bool { return !slices.Contains(setsFor(d), m) })
			}
			if len(sets) == 0 {
				continue
			}
			q.set = sets[r.IntN(len(sets))]
			a := from + event.Time(r.Int64N(int64(to-from)))
			b := a + event.Time(r.Int64N(int64(to-a)))
			switch step := event.Minute; r.IntN(3) {
			case 0:
				q.from, q.to = a.Std().In(loc).Format(time.DateOnly), b.Std().In(loc).Format(time.DateOnly)
			default:
				if q.visits() {
					step = 15 * event.Minute
				}
				q.from, q.to = stamp(a.Floor(step)), stamp(b.Floor(step)+step-event.Second)
			}
			checkQuery(t, withProgress{s.reader, all.progress}, all, &q)
		}
	}
}

// testQueryDaylight sends queries of days and hours in which the clocks change, at midnight too,
// and for zones off the hour.
func testQueryDaylight(t *testing.T, s *store) {
	r := seeded(21)
	f := func(zone, day string) {
		t.Helper()
		at := mustTime(t, day+"T00:00:00Z")
		stamp := func(at event.Time) string { return at.Std().Format(time.RFC3339) }
		s.model = map[key]stored{}
		all := s.fill(r, stamp(at-30*event.Hour), stamp(at+54*event.Hour), stamp(at+20*event.Hour), 60, 6)
		next := (at + 24*event.Hour).Std().Format(time.DateOnly)
		for _, dims := range [][]string{nil, {"time:day"}, {"time:hour"}, {"time:minute"}, {"time:week", "visit:device"}, {"time:hour", "visit:country"}} {
			for _, r := range [][2]string{{day, day}, {(at - 24*event.Hour).Std().Format(time.DateOnly), next}} {
				q := apiQuery{zone: zone, from: r[0], to: r[1], dimensions: dims, set: ofBoth}
				if slices.Contains(dims, "time:minute") {
					q.set = ofEvents
				}
				checkQuery(t, withProgress{s.reader, all.progress}, all, &q)
			}
		}
	}
	f("Europe/Berlin", "2024-03-31")
	f("Europe/Berlin", "2024-10-27")
	f("America/New_York", "2025-11-02")
	f("Australia/Lord_Howe", "2025-04-06") // half an hour
	f("Asia/Kathmandu", "2025-06-01")      // 5:45
	f("Africa/Cairo", "2025-04-25")        // forward at midnight
	f("America/Havana", "2024-11-03")      // back over midnight
	f("Pacific/Apia", "2011-12-30")        // a day that is not there
}
