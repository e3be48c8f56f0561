package statsapi

import (
	"encoding/json"
	"strings"
	"testing"
)

// Segments are replaced by their filters, wherever they stand, and the answer shows these.
func TestSegments(t *testing.T) {
	segments := func(site string) []Segment {
		if site != "a" {
			return nil
		}
		var list []Segment
		text := `[{"ID":1,"Name":"Phones","Filters":[["is","visit:device",["Mobile"]],["is","visit:city",["2950159"]]]},{"ID":2,"Filters":[["is","visit:country",["DE"]]]}]`
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			t.Fatal(err)
		}
		return list
	}
	ask := func(site, filters string) (string, error) {
		r, err := parse([]byte(`{"site_id":"`+site+`","metrics":["visitors"],"date_range":"day","filters":`+filters+`}`), segments)
		if err != nil {
			return "", err
		}
		text, err := json.Marshal(r.filters)
		return string(text), err
	}
	taken := func(filters, want string) {
		t.Helper()
		if got, err := ask("a", filters); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", filters, got, err, want)
		}
	}
	const first, second = `["and",[["is","visit:device",["Mobile"]],["is","visit:city",["2950159"]]]]`, `["and",[["is","visit:country",["DE"]]]]`
	taken(`[["is","segment",[1]]]`, `[`+first+`]`)
	taken(`[["is","segment",["2"]],["is","visit:os",["iOS"]]]`, `[`+second+`,["is","visit:os",["iOS"]]]`)
	taken(`[["is_not","segment",[1,2]]]`, `[["not",["or",[`+first+`,`+second+`]]]]`)
	taken(`[["or",[["not",["is","segment",[2]]],["has_done",["is","segment",[1]]]]]]`, `[["or",[["not",`+second+`],["has_done",`+first+`]]]]`)
	refused := func(site, filters, want string) {
		t.Helper()
		if _, err := ask(site, filters); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", filters, err, want)
		}
	}
	refused("a", `[["is","segment",[3]]]`, `the site has no segment "3"; it has 1 (Phones), 2`)
	refused("b", `[["is","segment",[1]]]`, `it has none: they stand in the file of sites`)
	refused("a", `[["contains","segment",[1]]]`, `a filter of segments is ["is","segment",[1]]`)
	refused("a", `[["is","segment",[]]]`, `have to be a list of 1 to`)
	if err := CheckFilters([]any{[]any{"is", "visit:colour", []any{"a"}}}); err == nil || !strings.Contains(err.Error(), "unknown dimension") {
		t.Errorf("a filter of a dimension that is not there: %v", err)
	}
	if err := CheckFilters([]any{[]any{"is", "segment", []any{"1"}}}); err == nil {
		t.Error("a segment of segments was taken")
	}
}
