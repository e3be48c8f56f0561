package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSpelling sends pages and referrers in several spellings from logs to the API: each is one row, and a filter in any
// spelling finds it.
func TestSpelling(t *testing.T) {
	t.Parallel()
	const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"
	var lines strings.Builder
	pages := []string{"/caf%C3%A9/a%5fb", "/caf%c3%a9/a%5Fb", "/café/a_b", "/cafe%CC%81/./a_b?x=1&amp;utm_campaign=spring%5fsale"}
	for i, page := range pages {
		fmt.Fprintf(&lines, "192.0.2.%d - - [01/Mar/2024:12:00:0%d +0000] \"GET %s HTTP/1.1\" 200 10 \"https://%s/x%%5fy/\" %q\n",
			i+1, i, page, []string{"bücher.example", "xn--bcher-kva.example"}[i%2], agent)
	}
	log := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(log, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	at := localPlace(t)
	mustRun(t, 0, at.args("import", "--format", "combined", "--site", "shop.example", log)...)
	s := mustServe(t, at, "--roles", "query")
	defer s.mustStop(t)
	ask := func(dim string, filters ...any) [][]string {
		t.Helper()
		q := map[string]any{"site_id": "shop.example", "date_range": []string{"2024-03-01", "2024-03-01"}, "metrics": []string{"pageviews"}, "filters": append([]any{}, filters...)}
		if dim != "" {
			q["dimensions"] = []string{dim}
		}
		a, err := s.ask(q)
		if err != nil {
			t.Fatal(err)
		}
		var rows [][]string
		for _, r := range a.Results {
			rows = append(rows, append(r.Dimensions, fmt.Sprint(r.Metrics[0])))
		}
		return rows
	}
	f := func(got [][]string, want string) {
		t.Helper()
		if fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
	f(ask("event:page"), "[[/café/a_b 4]]")
	f(ask("visit:source"), "[[bücher.example 4]]")
	f(ask("visit:referrer"), "[[bücher.example/x_y 4]]")
	f(ask("visit:utm_campaign"), "[[(none) 3] [spring_sale 1]]")
	for _, page := range append(pages[:3], "/cafe\u0301/a%5fb") {
		f(ask("", []any{"is", "event:page", []string{page}}), "[[4]]")
	}
	f(ask("", []any{"contains", "event:page", []string{"caf%c3%a9"}}), "[[4]]")
	f(ask("", []any{"is", "visit:source", []string{"XN--bcher-kva.example"}}), "[[4]]")
	f(ask("", []any{"is", "visit:referrer", []string{"https://www.bücher.example/x%5Fy"}}), "[[4]]")
}
