package readertest

import (
	"fmt"
	"math/rand/v2"

	"millrace/engine/event"
	"millrace/engine/window"
)

// hostile are values that a store may stumble over, as Clean lets them through.
var hostile = []string{
	"/a b", "/a,b=c", `/"quoted"`, "/it's", `/back\slash\`, "/ünïcödé/日本語", "/🦀", "/a|b", "/$1 (x) [y] ^.*$", "'; DROP SERIES FROM page --",
	"/\x00\x01", "/%2F?", "#", "=", ",", "true", "1i", "-", "/trailing ", "/caf\xe9",
}

var (
	countries = []string{"DE", "FR", "US", "EE", window.None}
	browsers  = []string{"Firefox", "Chrome", "Safari", "Samsung Internet"}
	names     = []string{event.Pageview, event.Pageview, event.Pageview, "Sign up", "Download, all"}
	goals     = []string{"Purchase", "Sign up", "Visit /a,b=c"} // sorted
)

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

// row makes a row that a site may have. Visitors are among the given number.
func row(r *rand.Rand, visitors int) window.Row {
	var x window.Row
	x.Visitor = event.Visitor(mix(uint64(r.IntN(visitors) + 1)))
	name := pick(r, names)
	if name == event.Pageview {
		x.Flags |= window.PageviewRow
	}
	page := fmt.Sprintf("/page/%d", r.IntN(6))
	if r.IntN(4) == 0 {
		page = window.Clean(pick(r, hostile))
	}
	x.Dims = [window.NumDims]string{
		window.Page: page, window.Name: window.Clean(name),
		window.Source: window.Clean(pick(r, []string{"Google", "t.co", ""})), window.Referrer: window.Clean(pick(r, []string{"https://a.example/x y", ""})),
		window.Country: pick(r, countries), window.Language: pick(r, []string{"de-DE", "en"}),
		window.Browser: pick(r, browsers), window.OS: pick(r, []string{"Linux", "Mac OS"}), window.Device: pick(r, []string{"Desktop", "Mobile"}),
		window.Hostname: pick(r, []string{"example.com", "blog.example.com"}),
	}
	for d, v := range visitDims(r) {
		x.Dims[d] = v
	}
	switch r.IntN(12) {
	case 0:
		x.Dims[window.EntryPage] = "" // of a visit without a page view
	case 1:
		x.Dims[window.Source], x.Dims[window.Referrer], x.Dims[window.Channel] = "", "", "" // that began within the site
	}
	for _, g := range goals {
		if r.IntN(8) == 0 {
			x.Goals = append(x.Goals, g)
		}
	}
	for _, k := range []string{"author", "plan"} {
		if r.IntN(6) == 0 {
			x.Props = append(x.Props, event.Prop{Key: k, Value: pick(r, []string{"Ann, B.", "free", "pro"})})
		}
	}
	if r.IntN(10) == 0 {
		x.Revenue, x.Paid = event.Money(r.IntN(2_000_000)-200_000), true
		if x.Revenue%5 == 0 {
			x.Revenue = 0 // an amount, too
		}
	}
	switch r.IntN(20) {
	case 0:
		x.Flags |= window.BotRow
		x.Dims[window.Reason] = "crawler"
	case 1:
		x.Flags |= window.DroppedRow
	case 2:
		x.Dims[window.Page] = "" // an event of a server, without a page
	}
	return x
}

// mix spreads visitor numbers over 64 bits (SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// visitDims are those that a row has from its visit, besides those that row sets. A region goes
// with one country, as its code says; of some events nothing is known.
func visitDims(r *rand.Rand) map[window.Dim]string {
	m := map[window.Dim]string{
		window.EntryPage: fmt.Sprintf("/page/%d", r.IntN(4)), window.Channel: pick(r, []string{"Direct", "Organic Search"}),
		window.UTMSource: pick(r, []string{"news letter", ""}), window.UTMMedium: pick(r, []string{"email", ""}),
		window.UTMCampaign: pick(r, []string{"a=b", ""}), window.UTMContent: pick(r, []string{"x", ""}), window.UTMTerm: pick(r, []string{"y", ""}),
		window.City: pick(r, []string{"588409", "2950159", ""}), window.BrowserVersion: pick(r, []string{"120", "121"}),
		window.OSVersion: pick(r, []string{"11", "14"}), window.Screen: pick(r, []string{"Desktop", "Laptop"}),
		window.Region: pick(r, []string{"EE-37", "DE-BE", ""}),
	}
	return m
}

// visit makes what a visit adds to its quarter.
func visit(r *rand.Rand) window.VisitRow {
	of := row(r, 1)
	x := window.VisitRow{Dims: of.Dims, Visits: 1, Views: 1}
	for _, d := range []window.Dim{window.Page, window.Name, window.Reason} {
		x.Dims[d] = ""
	}
	x.Dims[window.ExitPage] = x.Dims[window.EntryPage]
	if x.Dims[window.EntryPage] == "" {
		x.Views = 0
		return x
	}
	if r.IntN(3) == 0 {
		x.Bounces = 1
		return x
	}
	x.Dims[window.ExitPage] = window.Clean(pick(r, hostile))
	x.Views, x.Seconds = 1+r.Int64N(20), r.Int64N(4000)
	return x
}

func visits(r *rand.Rand, n int) []window.VisitRow {
	list := make([]window.VisitRow, n)
	for i := range list {
		list[i] = visit(r)
	}
	return list
}

func rows(r *rand.Rand, n, visitors int) []window.Row {
	list := make([]window.Row, n)
	for i := range list {
		list[i] = row(r, visitors)
	}
	return list
}

// budget is how many values the windows of the suite have per family.
const budget = 12

// fold makes a window of a minute.
func fold(site string, shard uint16, start event.Time, version int64, final bool, rows []window.Row) *window.Window {
	return foldKind(window.Minute, site, shard, start, version, final, rows)
}

func foldKind(k window.Kind, site string, shard uint16, start event.Time, version int64, final bool, rows []window.Row) *window.Window {
	a := window.NewAgg(budget)
	for i := range rows {
		a.AddRow(&rows[i])
	}
	w := &window.Window{Kind: k, Site: site, Shard: shard, Start: start, Version: version, Final: final}
	a.Fill(w)
	return w
}

// foldVisits makes a window of visits.
func foldVisits(site string, shard uint16, start event.Time, version int64, final bool, visits []window.VisitRow) *window.Window {
	a := window.NewAgg(budget)
	for i := range visits {
		a.AddVisitRow(&visits[i])
	}
	w := &window.Window{Kind: window.Visits, Site: site, Shard: shard, Start: start, Version: version, Final: final}
	a.Fill(w)
	return w
}

// anyKind makes a window of any kind with up to n rows or visits. Start is that of a minute.
func anyKind(r *rand.Rand, site string, shard uint16, start event.Time, version int64, final bool, n int) *window.Window {
	k := window.Kind(r.IntN(int(window.NumKinds)))
	start = start.Floor(k.Length())
	if k == window.Visits {
		return foldVisits(site, shard, start, version, final, visits(r, n))
	}
	return foldKind(k, site, shard, start, version, final, rows(r, n, 15))
}
