package event

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"
)

// TestSchemaNamesTheFields holds the schema and the codec together by their names: an event with every field set has
// exactly the properties that the schema describes, and a bare one exactly those that it requires. That values
// match too is a test of package ingest, whose records it checks.
func TestSchemaNamesTheFields(t *testing.T) {
	b, err := os.ReadFile("schema/events.v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Defs map[string]struct {
			Required   []string
			Properties map[string]any
		} `json:"$defs"`
	}
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	keys := func(b []byte) []string {
		t.Helper()
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		return slices.Sorted(maps.Keys(m))
	}
	same := func(what string, got, want []string) {
		t.Helper()
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s:\nthe codec has  %q\nthe schema has %q", what, got, want)
		}
	}
	full := Event{Props: []Prop{{"k", "v"}}}
	v := reflect.ValueOf(&full).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Int64:
			f.SetInt(1)
		case reflect.Uint64, reflect.Uint8:
			f.SetUint(1)
		case reflect.Bool:
			f.SetBool(true)
		}
	}
	event, envelope := schema.Defs["event"], schema.Defs["envelope"]
	same("a full event", keys(full.Append(nil)), slices.Collect(maps.Keys(event.Properties)))
	same("a bare event", keys((&Event{}).Append(nil)), event.Required)
	tick := keys(AppendEnvelope(nil, "c", 1, nil))
	same("an envelope", tick, slices.Collect(maps.Keys(envelope.Properties)))
	same("a tick", tick, envelope.Required)
}
