package site

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// Filters of segments are as a query in JSON would have them, and what is wrong with them is found where they stand.
func TestSegments(t *testing.T) {
	read := func(segments string) (*Sites, error) {
		path := mustWriteFile(t, filepath.Join(t.TempDir(), "sites.yaml"), "sites:\n  a.example:\n    segments: "+segments+"\n")
		return Read(Config{File: path, Filters: func(filters []any) error {
			if text, _ := json.Marshal(filters); strings.Contains(string(text), "colour") {
				return errors.New("there is no colour")
			}
			return nil
		}})
	}
	s, err := read(`[{id: 7, name: A, filters: [[is, visit:city, [2950159, Rome], {case_sensitive: false}], [not, [contains, "event:page", [/a]]]]}]`)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(s.Of("a.example").Segments)
	const want = `[{"ID":7,"Name":"A","Filters":[["is","visit:city",[2950159,"Rome"],{"case_sensitive":false}],["not",["contains","event:page",["/a"]]]]}]`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
	refused := func(segments, want string) {
		t.Helper()
		if _, err := read(segments); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", segments, err, want)
		}
	}
	refused(`[{id: 0, filters: [[a]]}]`, `3:21: sites.a.example.segments[0].id: want a whole number from 1 on`)
	refused(`[{id: 1, filters: [[a]]}, {id: 1, filters: [[a]]}]`, `segment 1 is there twice`)
	refused(`[{id: 1, name: A}]`, `a segment has an id and filters`)
	refused(`[{id: 1, filters: []}]`, `want a list of filters`)
	refused(`[{id: 1, filters: [[is, x, [1.5]]]}]`, `sites.a.example.segments[0].filters[0][2][0]: want a list, a text, a whole number, true or false`)
	refused(`[{id: 1, filters: [[is, colour, [a]]]}]`, `sites.a.example.segments[0].filters: there is no colour`)
	refused(`{}`, `want a list such as`)
}
