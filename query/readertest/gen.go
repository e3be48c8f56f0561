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

func rows(r *rand.Rand, n, visitors int) []window.Row {
	list := make([]window.Row, n)
	for i := range list {
		list[i] = row(r, visitors)
	}
	return list
}

// fold makes a window of rows, with at most 12 values per family.
func fold(site string, shard uint16, start event.Time, version int64, final bool, rows []window.Row) *window.Window {
	a := window.NewAgg(12)
	for i := range rows {
		a.AddRow(&rows[i])
	}
	return a.Window(site, shard, start, version, final)
}
