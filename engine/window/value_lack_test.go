package window

import (
	"strings"
	"testing"

	"millrace/engine/event"
)

// TestPropSets: sets of keys tell which keys they have, whatever the keys are.
func TestPropSets(t *testing.T) {
	keys := []string{"a", "a|", "a~", "a~1", "b|c", "|", "~", "~0", "(none)", "plan"}
	for i := range 1 << len(keys) {
		var have []string
		for j, k := range keys {
			if i>>j&1 != 0 {
				have = append(have, k)
			}
		}
		set := PropSet(have...)
		for j, k := range keys {
			if got := hasKey(set, k); got != (i>>j&1 != 0) {
				t.Fatalf("%q in %q (%q): %v", k, set, have, got)
			}
		}
	}
	if got := PropSet(strings.Repeat("k", 300), strings.Repeat("l", 300)); got != Other {
		t.Errorf("a set too long for a value is %q", got)
	}
}

// TestLackOrder: the sets as dims.lack makes them are those of lackOrder, of which the text is a
// part of the stores' formats.
func TestLackOrder(t *testing.T) {
	for set := range lackSets {
		var dims [NumDims]string
		for i, d := range lackOrder {
			if set>>i&1 == 0 {
				dims[d] = "x"
			}
		}
		d := dimsOf(&dims, rowDims, nil)
		d.lack(set&anyProp != 0)
		want, place := LackSet(&dims, set&anyProp == 0), LackPlaceSet(&dims)
		if got := d.values[Lacks]; set != 0 && (got.s != want || got.hash != hashOf(want)) || d.set.has(Lacks) != (want != "") {
			t.Fatalf("set %x is %q, want %q", set, got.s, want)
		}
		if got := d.values[LacksPlace].s; got != place || d.set.has(LacksPlace) != (place != "") {
			t.Fatalf("set %x lacks the places %q, want %q", set, got, place)
		}
	}
	if int(lackID)+lackSets >= int(noValue.id) || int(lackID) <= len(knownValues) {
		t.Error("ids of sets are those of other values")
	}
}

// TestNoneAddsUp: of each family, its points and what is lacking in it come to the totals.
func TestNoneAddsUp(t *testing.T) {
	a := NewAgg(0)
	rows := []Row{
		{Visitor: 1, Dims: [NumDims]string{Country: "DE", Region: "DE-BE", City: "1", UTMSource: "x"}, Props: []event.Prop{{Key: "plan", Value: "pro"}}},
		{Visitor: 2, Dims: [NumDims]string{Country: "DE", Region: "DE-BE", Source: "Google"}, Props: []event.Prop{{Key: "size", Value: "m"}}},
		{Visitor: 3, Dims: [NumDims]string{Country: "EE", EntryPage: "/", UTMMedium: "email"}},
	}
	for i := range rows {
		a.AddRow(&rows[i])
	}
	var w Window
	a.Fill(&w)
	f := func(f Family, first string, want map[string]int64) {
		t.Helper()
		got := map[string]int64{}
		for i := range w.Points {
			p := &w.Points[i]
			dims, ok := p.Dims, p.Family == f
			for _, l := range f.LackingIn(false) {
				if l == p.Family {
					dims, ok = f.NoneOf(p, "plan")
				}
			}
			if last := len(f.Dims()) - 1; ok && (last == 0 || dims[0] == first) {
				got[dims[last]] += p.Events
			}
		}
		for v, n := range want {
			if got[v] != n || len(got) != len(want) {
				t.Errorf("%s %s: %v, want %v", f, first, got, want)
			}
		}
	}
	f(UTMSources, "", map[string]int64{"x": 1, None: 2})
	f(UTMTerms, "", map[string]int64{None: 3})
	f(Sources, "", map[string]int64{"Google": 1, None: 2})
	f(EntryPages, "", map[string]int64{"/": 1, None: 2})
	f(Regions, "DE", map[string]int64{"DE-BE": 2})
	f(Regions, "EE", map[string]int64{None: 1})
	f(Cities, "DE", map[string]int64{"1": 1, None: 1})
	f(Props, "plan", map[string]int64{"pro": 1, None: 2})
	f(Countries, "", map[string]int64{"DE": 2, "EE": 1})
}
