package statsapi

import (
	"math"
	"strings"
	"testing"
)

func TestRevenueTexts(t *testing.T) {
	f := func(v float64, code, short, long string) {
		t.Helper()
		if r := newRevenue(v, code); r.Short != short || r.Long != long || r.Value != v || r.Currency != code {
			t.Errorf("%v %s: %+v, want %s and %s", v, code, r, short, long)
		}
	}
	f(96336315, "USD", "$96.3M", "$96,336,315.00")
	f(0, "EUR", "€0.0", "€0.00")
	f(12.345, "EUR", "€12.3", "€12.35")
	f(999.94, "GBP", "£999.9", "£999.94")
	f(999.96, "GBP", "£1.0K", "£999.96")
	f(1000, "JPY", "¥1.0K", "¥1,000")
	f(-1234.5, "CHF", "-CHF 1.2K", "-CHF 1,234.50")
	f(1234567.8912, "KWD", "KWD 1.2M", "KWD 1,234,567.891")
	f(5, "ZZZ", "ZZZ 5.0", "ZZZ 5.00")
	f(1500, "", "1.5K", "1,500.00")
	f(math.Pow(10, 16), "USD", "$10000.0T", "$10,000,000,000,000,000.00")
}

func TestRevenue(t *testing.T) {
	m := &memory{}
	m.shop("a.example", "2024-09-18T03:00:00Z")
	m.shop("none.example", "2024-09-18T03:00:00Z")
	s := mustServer(t, testOptions{Reader: m})
	s.opts.Currency = func(site string) string { return map[string]string{"a.example": "EUR"}[site] }
	f := func(site, metrics, more, want string) {
		t.Helper()
		resp := do(s, "POST", PathQuery, `{"site_id":"`+site+`","metrics":[`+metrics+`],"date_range":"day"`+more+`}`)
		if got := string(resp.Body()); resp.StatusCode() != 200 || !strings.Contains(got, want) {
			t.Errorf("%s %s: %d %s, want %s", site, metrics, resp.StatusCode(), got, want)
		}
	}
	f("a.example", `"total_revenue","average_revenue","visitors"`, "", `"metrics":[{"value":47,"currency":"EUR","short":"€47.0","long":"€47.00"},{"value":11.75,"currency":"EUR","short":"€11.8","long":"€11.75"},10]`)
	f("a.example", `"average_revenue"`, `,"filters":[["is","event:name",["pageview"]]]`, `"metrics":[null]`)
	f("a.example", `"total_revenue"`, `,"dimensions":["visit:source"],"order_by":[["total_revenue","asc"]]`, `"results":[{"metrics":[{"value":11,`)
	f("a.example", `"total_revenue"`, `,"include":{"comparisons":{"mode":"year_over_year"}}`, `"comparison":{"dimensions":[],"metrics":[{"value":0,"currency":"EUR","short":"€0.0","long":"€0.00"}],"change":[100]}`)
	f("none.example", `"total_revenue"`, "", `"metric_warnings":{"total_revenue":{"code":"no_single_revenue_currency"`)
	f("none.example", `"total_revenue"`, "", `{"value":47,"currency":"","short":"47.0","long":"47.00"}`)
	if got, want := string(do(s, "POST", PathQuery+"?format=csv", `{"site_id":"a.example","metrics":["total_revenue"],"date_range":"day"}`).Body()), "total_revenue\n47\n"; got != want {
		t.Errorf("CSV: %q, want %q", got, want)
	}
}
