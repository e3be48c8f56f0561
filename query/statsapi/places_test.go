package statsapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
)

// atlas has names of codes.
type atlas map[string]string

func (a atlas) RegionName(code string) string { return a[code] }
func (a atlas) CityName(id string) string     { return a[id] }

// TestPlaceNames: rows and filters of visit:region_name and visit:city_name go by the names that
// are known, and by the codes else.
func TestPlaceNames(t *testing.T) {
	m := &memory{}
	at := time.Date(2024, 9, 17, 10, 5, 0, 0, time.UTC)
	agg := window.NewAgg(0)
	for i, p := range [][3]string{{"US", "US-OR", "5746545"}, {"US", "US-ME", "4975802"}, {"US", "US-ME", "4975802"}, {"US", "US-NY", "5128581"}, {"FR", "", "Lyon"}} {
		agg.AddRow(&window.Row{Flags: window.PageviewRow, Visitor: event.Visitor(uint64(i+1) * 0x9e3779b97f4a7c15), Dims: [window.NumDims]string{
			window.Page: "/", window.Name: "pageview", window.Country: p[0], window.Region: p[1], window.City: p[2],
		}})
	}
	m.windows = append(m.windows, agg.Window("a.example", 0, event.TimeOf(at), 1, true))
	names := atlas{"US-OR": "Oregon", "US-ME": "Maine", "5746545": "Portland", "4975802": "Portland"}
	with, without := mustServer(t, testOptions{Reader: m, Places: names}), mustServer(t, testOptions{Reader: m})
	f := func(s *Server, more, want string) {
		t.Helper()
		a := answerOf(t, s, `{"site_id":"a.example","metrics":["visitors"],"date_range":["2024-09-17","2024-09-17"]`+more+`}`)
		var rows []string
		for _, r := range a.Results {
			rows = append(rows, fmt.Sprintf("%q %v", r.Dimensions, r.Metrics))
		}
		if got := strings.Join(rows, " "); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", more, got, want)
		}
	}
	f(with, `,"dimensions":["visit:region_name"]`, `["Maine"] [2] ["(none)"] [1] ["Oregon"] [1] ["US-NY"] [1]`)
	f(with, `,"dimensions":["visit:region"]`, `["US-ME"] [2] ["(none)"] [1] ["US-NY"] [1] ["US-OR"] [1]`)
	f(with, `,"dimensions":["visit:city_name"]`, `["Portland"] [3] ["5128581"] [1] ["Lyon"] [1]`)
	f(with, `,"dimensions":["visit:city"]`, `["4975802"] [2] ["5128581"] [1] ["5746545"] [1] ["Lyon"] [1]`)
	f(with, `,"dimensions":["visit:country_name","visit:city_name"]`, `["United States" "Portland"] [3] ["France" "Lyon"] [1] ["United States" "5128581"] [1]`)
	f(with, `,"filters":[["is","visit:city_name",["Portland"]]]`, `[] [3]`)
	f(with, `,"filters":[["not",["contains","visit:city_name",["PORT"],{"case_sensitive":false}]]]`, `[] [2]`)
	f(with, `,"filters":[["is","visit:city",["5746545"]]]`, `[] [1]`)
	f(with, `,"filters":[["is","visit:region_name",["Maine"]]],"dimensions":["visit:country"]`, `["US"] [2]`)
	f(without, `,"dimensions":["visit:region_name"]`, `["US-ME"] [2] ["(none)"] [1] ["US-NY"] [1] ["US-OR"] [1]`)
	f(without, `,"dimensions":["visit:city_name"]`, `["4975802"] [2] ["5128581"] [1] ["5746545"] [1] ["Lyon"] [1]`)
	f(without, `,"filters":[["is","visit:city_name",["Portland"]]]`, `[] [0]`)
}
