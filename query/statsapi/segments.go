package statsapi

import (
	"fmt"
	"strings"

	"millrace/query"
)

// Segment is a list of filters that a query may name by its number: ["is","segment",[1]].
type Segment struct {
	ID   int64
	Name string
	// Filters are as encoding/json decodes them with UseNumber.
	Filters []any
}

// segmentDimension is what filters of segments name.
const segmentDimension = "segment"

// CheckFilters returns what is wrong with the filters of a segment.
func CheckFilters(filters []any) error {
	for _, f := range filters {
		if _, err := parseFilter(f, 1); err != nil {
			return err
		}
	}
	return nil
}

// expand returns filters with what segments of the site stand for in their place.
func (r *request) expand(list []any, segments func(site string) []Segment, depth int) ([]any, error) {
	if depth > maxFilterDepth {
		return list, nil // parseFilter says so
	}
	all := make([]any, len(list))
	for i, v := range list {
		all[i] = v
		f, _ := v.([]any)
		if len(f) < 2 {
			continue
		}
		var err error
		switch op, _ := f[0].(string); op {
		case "and", "or":
			if sub, ok := f[1].([]any); ok && len(f) == 2 {
				var parts []any
				parts, err = r.expand(sub, segments, depth+1)
				all[i] = []any{op, parts}
			}
		case "not", "has_done", "has_not_done":
			if len(f) == 2 {
				var parts []any
				if parts, err = r.expand(f[1:], segments, depth+1); err == nil {
					all[i] = []any{op, parts[0]}
				}
			}
		default:
			if f[1] == segmentDimension {
				all[i], err = segmentsOf(f, r.Site, segments)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// segmentsOf returns the filter that a filter of segments stands for.
func segmentsOf(f []any, site string, segments func(site string) []Segment) (any, error) {
	op, _ := f[0].(string)
	if len(f) != 3 || op != "is" && op != "is_not" {
		return nil, bad("Invalid filters %s: a filter of segments is [\"is\",\"segment\",[1]], with the numbers of segments, or the same with \"is_not\".", query.Show(f))
	}
	ids, err := parseClauses(f)
	if err != nil {
		return nil, err
	}
	var of []Segment
	if segments != nil {
		of = segments(site)
	}
	var parts []any
	for _, id := range ids {
		filters := findSegment(of, id)
		if filters == nil {
			return nil, bad("Invalid filters %s: the site has no segment %s; %s.", query.Show(f), query.Show(id), listSegments(of))
		}
		parts = append(parts, []any{"and", filters})
	}
	all := parts[0]
	if len(parts) > 1 {
		all = []any{"or", parts}
	}
	if op == "is_not" {
		all = []any{"not", all}
	}
	return all, nil
}

func findSegment(of []Segment, id string) []any {
	for _, s := range of {
		if fmt.Sprint(s.ID) == id {
			return s.Filters
		}
	}
	return nil
}

// listSegments names the segments of a site.
func listSegments(of []Segment) string {
	if len(of) == 0 {
		return "it has none: they stand in the file of sites"
	}
	var names []string
	for _, s := range of {
		name := fmt.Sprint(s.ID)
		if s.Name != "" {
			name += " (" + s.Name + ")"
		}
		names = append(names, name)
	}
	return "it has " + strings.Join(names, ", ")
}
