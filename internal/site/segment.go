package site

import (
	"encoding/json"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// MaxSegments is the greatest number of segments of one site.
const MaxSegments = 100

// Segment is a list of filters that queries name by its number.
type Segment struct {
	// ID is 1 or more, and no other segment's of the site.
	ID int64
	// Name is for people.
	Name string
	// Filters are those of a query, all of which have to pass, as encoding/json decodes them with UseNumber.
	Filters []any
}

func (r *fileReader) segments(n *yaml.Node, path string, to *Site) {
	const want = "{id: 1, name: Phones, filters: [[is, \"visit:device\", [Mobile]]]}"
	r.items(n, path, "["+want+"]", func(n *yaml.Node, path string) {
		if !r.is(n, path, yaml.MappingNode, "a segment such as "+want) {
			return
		}
		var s Segment
		before := len(r.findings)
		r.mapping(n, path, segmentFields, map[string]field{
			"id": func(n *yaml.Node, path string) { r.segmentID(n, path, to, &s.ID) },
			"name": func(n *yaml.Node, path string) {
				if text, ok := r.text(n, path, "a text"); ok {
					s.Name = text
				}
			},
			"filters": func(n *yaml.Node, path string) { s.Filters = r.filterList(n, path) },
		})
		if len(r.findings) > before {
			return
		}
		if s.ID == 0 || s.Filters == nil {
			r.at(n, "%s: a segment has an id and filters, such as %s", path, want)
			return
		}
		to.Segments = append(to.Segments, s)
	})
	if n.Kind == yaml.SequenceNode && len(n.Content) > MaxSegments {
		r.at(n.Content[MaxSegments], "%s[%d]: a site has at most %d segments", path, MaxSegments, MaxSegments)
	}
}

func (r *fileReader) segmentID(n *yaml.Node, path string, of *Site, to *int64) {
	id, err := strconv.ParseInt(n.Value, 10, 64)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil || id < 1 {
		r.at(n, "%s: want a whole number from 1 on, this is %s", path, nodeName(n))
		return
	}
	for i := range of.Segments {
		if of.Segments[i].ID == id {
			r.at(n, "%s: segment %d is there twice", path, id)
		}
	}
	*to = id
}

// filterList reads the filters of a segment.
func (r *fileReader) filterList(n *yaml.Node, path string) []any {
	before := len(r.findings)
	list, ok := r.jsonOf(n, path).([]any)
	switch {
	case len(r.findings) > before:
	case !ok || len(list) == 0:
		r.at(n, "%s: want a list of filters such as [[is, \"visit:device\", [Mobile]]], this is %s", path, nodeName(n))
	case r.filters != nil:
		if err := r.filters(list); err != nil {
			r.at(n, "%s: %v", path, err)
		}
	}
	return list
}

// jsonOf returns a node as encoding/json would decode it with UseNumber.
func (r *fileReader) jsonOf(n *yaml.Node, path string) any {
	switch {
	case n.Kind == yaml.SequenceNode:
		list := []any{}
		for i, item := range n.Content {
			list = append(list, r.jsonOf(item, path+"["+strconv.Itoa(i)+"]"))
		}
		return list
	case n.Kind == yaml.MappingNode:
		obj := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			obj[n.Content[i].Value] = r.jsonOf(n.Content[i+1], path+"."+n.Content[i].Value)
		}
		return obj
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str":
		return n.Value
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int":
		if number, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return json.Number(strconv.FormatInt(number, 10))
		}
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool":
		return n.Value == "true"
	}
	r.at(n, "%s: want a list, a text, a whole number, true or false, this is %s; write a text with quotes", path, nodeName(n))
	return nil
}
