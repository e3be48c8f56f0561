//go:build heavy

package pace

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"millrace/bench"
	"millrace/internal/blob"
)

// The archive has what it says, and queries that are drawn are answered of it.
func TestArchive(t *testing.T) {
	o := Options{Events: 6000, Days: 3, Sites: 8, Seed: 1, Queries: 60, Dir: t.TempDir()}
	store, err := blob.OpenFolder(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := o.archive(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for _, n := range m.Rows {
		all += n
	}
	giant := float64(m.Rows[bench.SiteName(0)]) / float64(all)
	if len(m.Rows) != o.Sites || all < o.Events*9/10 || all > o.Events*11/10 || giant < 0.55 || giant > 0.72 || len(m.Hits) != o.Days || len(m.Visits) != o.Days {
		t.Errorf("%d hits, the giant has %.2f of them; %d sites, %d and %d files", all, giant, len(m.Rows), len(m.Hits), len(m.Visits))
	}
	if again, err := o.archive(t.Context(), store); err != nil || again.What != m.What || len(again.Hits) != len(m.Hits) || again.Hits[0] != m.Hits[0] {
		t.Errorf("the archive that is there: %+v, %v", again, err)
	}
	api, err := serve(store, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]string{"country": {"US", "DE"}, "browser": {"Chrome"}, "page": {"/"}}
	d := &drawer{rng: rand.New(rand.NewPCG(1, 1)), giant: bench.SiteName(0), small: []string{bench.SiteName(3)}, days: o.Days, first: bench.DefaultStart, values: values}
	lake, rows := 0, 0
	for i := range o.Queries {
		q := d.draw(i%2 == 0)
		answer, err := api.Answer(t.Context(), q.body())
		if err != nil {
			t.Fatalf("%s: %v", q.body(), err)
		}
		if answer.Meta.Source == "lake" {
			lake++
			rows += len(answer.Results)
		}
		if sql := q.sql(o.Dir, m); strings.Contains(sql, "[]") {
			t.Errorf("no file for %s", sql)
		}
	}
	if lake < o.Queries/2 || rows == 0 {
		t.Errorf("%d of %d queries are of the archive, with %d rows", lake, o.Queries, rows)
	}
}

// TestDuckDB: DuckDB has the same answers.
func TestDuckDB(t *testing.T) {
	python := os.Getenv("MILLRACE_TEST_PYTHON")
	if python == "" {
		t.Skip("MILLRACE_TEST_PYTHON is not set: the Python that has DuckDB")
	}
	var out strings.Builder
	if err := Run(t.Context(), Options{Events: 20_000, Days: 4, Sites: 20, Queries: 60, Runs: 1, Seed: 2, Python: python, Out: &out}); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}
