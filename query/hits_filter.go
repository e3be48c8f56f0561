package query

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"strings"

	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// node is a filter as it is evaluated on columns: without negations but at its leaves, so that it can only pass more if more
// of its leaves pass.
type node struct {
	op  Op // opAnd, opOr, opDone, else a condition
	sub []*node
	// condition holds the comparison of a leaf, which not inverts, or the filter of opDone.
	condition *Filter
	not       bool
	// leaf numbers conditions, done those of opDone.
	leaf, done int
}

// tree is a compiled filter.
type tree struct {
	root   *node
	leaves []*node // conditions outside of opDone
	dones  []*node
}

func compileFilter(f *Filter) *tree {
	t := &tree{}
	t.root = t.compile(f, false)
	return t
}

func (t *tree) compile(f *Filter, not bool) *node {
	n := &node{op: f.op, condition: f, not: not}
	switch f.op {
	case opNot:
		return t.compile(f.sub[0], !not)
	case opDone:
		n.done = len(t.dones)
		t.dones = append(t.dones, n)
		return n
	case opAnd, opOr:
		if not {
			n.op = opAnd + opOr - f.op
		}
		for _, sub := range f.sub {
			n.sub = append(n.sub, t.compile(sub, not))
		}
		return n
	}
	n.leaf = len(t.leaves)
	t.leaves = append(t.leaves, n)
	return n
}

// usesGoals reports whether a condition outside of opDone is of goals.
func (t *tree) usesGoals() bool {
	for _, n := range t.leaves {
		if n.condition.dim.isGoal() {
			return true
		}
	}
	return false
}

// evaluator evaluates trees on a block of rows, which are hits or visits.
type evaluator struct {
	cols hits.Columns
	// hit is the block if its rows are hits.
	hit hits.Block
	// visits returns the visits of the rows.
	visits func() ([]visit.ID, error)
	// goal is the goal that conditions are of: the rows are pairs of an event and a goal that it reaches. "" is none, which is
	// neither equal nor unequal to anything.
	goal string
	// dones are the visits that pass, by the number of the node and the partition.
	dones []map[int32]*visitTable
	// exits are the exit pages of visits, for hits.
	exits *exits
	// assume, if set, decides conditions and opDone without a look at the rows: they pass.
	assume func(n *node) bool

	props map[string]*hits.Text
	words int
}

func (v *evaluator) none() []uint64 { return make([]uint64, v.words) }

// node returns which of the rows of in pass. The result may be in itself; none is changed.
func (v *evaluator) node(n *node, in []uint64) ([]uint64, error) {
	switch {
	case n.op == opAnd:
		for _, sub := range n.sub {
			if isNone(in) {
				return in, nil
			}
			var err error
			if in, err = v.node(sub, in); err != nil {
				return nil, err
			}
		}
		return in, nil
	case n.op == opOr:
		out, rest := v.none(), make([]uint64, len(in))
		for _, sub := range n.sub {
			for i := range rest {
				rest[i] = in[i] &^ out[i]
			}
			part, err := v.node(sub, rest)
			if err != nil {
				return nil, err
			}
			for i := range out {
				out[i] |= part[i]
			}
		}
		return out, nil
	case v.assume != nil && v.assume(n):
		return in, nil
	case n.op == opDone:
		return v.hasDone(n, in)
	}
	return v.condition(n, in)
}

func (v *evaluator) hasDone(n *node, in []uint64) ([]uint64, error) {
	ids, err := v.visits()
	if err != nil {
		return nil, err
	}
	list, out := v.dones[n.done][v.cols.Partition()], v.none()
	var last visit.ID
	did := false // a hit of no visit has done nothing
	eachBit(in, func(i int) {
		if id := ids[i]; id != last {
			last, did = id, list.has(id)
		}
		if did != n.not {
			out[i/64] |= 1 << (i % 64)
		}
	})
	return out, nil
}

// condition evaluates a comparison: once for each value, and by code for the rows.
func (v *evaluator) condition(n *node, in []uint64) ([]uint64, error) {
	f := n.condition
	if f.dim.isGoal() {
		if v.goal != "" && f.matchValue(f.dim.show(v.goal)) != n.not {
			return in, nil
		}
		return v.none(), nil
	}
	t, nulls, err := v.column(f.dim)
	if err != nil {
		return nil, err
	}
	const pass, fail = 1, 2
	known := make([]uint8, len(t.Values))
	match := func(code uint32) uint8 {
		value := t.Values[code]
		known[code] = fail
		if (value != "" || !nulls) && f.matchValue(f.dim.show(shown(value))) != n.not {
			known[code] = pass
		}
		return known[code]
	}
	if len(t.Values) <= len(t.Codes) {
		some, all := false, true
		for code := range t.Values {
			is := match(uint32(code)) == pass
			some, all = some || is, all && is
		}
		if !some {
			return v.none(), nil
		}
		if all {
			return in, nil
		}
	}
	out := v.none()
	eachBit(in, func(i int) {
		code := t.Codes[i]
		k := known[code]
		if k == 0 {
			k = match(code)
		}
		out[i/64] |= uint64(k&1) << (i % 64)
	})
	return out, nil
}

// shown returns the value that stands for a stored one: window.None for none.
func shown(value string) string {
	if value == "" {
		return window.None
	}
	return value
}

// column returns the values of a dimension. Nulls reports that a row without a value is not in the dimension at all.
func (v *evaluator) column(d *Dimension) (t *hits.Text, nulls bool, err error) {
	switch {
	case d.prop != "":
		t, err = v.prop(d.prop)
		return t, false, err
	case v.hit != nil && d.dim == window.ExitPage:
		t, err = v.exitPages()
		return t, false, err
	case v.hit == nil && d.dim == window.Page:
		t, err = v.cols.Text(window.EntryPage)
		return t, true, err
	}
	t, err = v.cols.Text(d.dim)
	return t, false, err
}

// prop returns the values of a custom property.
func (v *evaluator) prop(key string) (*hits.Text, error) {
	if t := v.props[key]; t != nil {
		return t, nil
	}
	all, err := v.hit.Props()
	if err != nil {
		return nil, err
	}
	t, codes := &hits.Text{Codes: make([]uint32, len(all.Codes))}, make([]uint32, len(all.Values))
	index := map[string]uint32{}
	for i, text := range all.Values {
		value, err := propOf(text, key)
		if err != nil {
			return nil, err
		}
		code, ok := index[value]
		if !ok {
			code = uint32(len(t.Values))
			index[value] = code
			t.Values = append(t.Values, value)
		}
		codes[i] = code
	}
	for i, code := range all.Codes {
		t.Codes[i] = codes[code]
	}
	if v.props == nil {
		v.props = map[string]*hits.Text{}
	}
	v.props[key] = t
	return t, nil
}

// propOf returns the value of a key in a JSON object that event.AppendProps has written, "" if there is none.
func propOf(text, key string) (string, error) {
	if text == "" {
		return "", nil
	}
	written := string(event.AppendProps(nil, []event.Prop{{Key: key}}))
	if !strings.Contains(text, strings.TrimSuffix(strings.TrimPrefix(written, "{"), `""}`)) {
		return "", nil
	}
	var props map[string]string
	if err := json.Unmarshal([]byte(text), &props); err != nil {
		return "", fmt.Errorf("custom properties %s: %w", Show(text), err)
	}
	return props[key], nil
}

func isNone(bits []uint64) bool {
	for _, w := range bits {
		if w != 0 {
			return false
		}
	}
	return true
}

// eachBit calls fn for each bit that is set.
func eachBit(list []uint64, fn func(i int)) {
	for k, w := range list {
		for ; w != 0; w &= w - 1 {
			fn(k*64 + bits.TrailingZeros64(w))
		}
	}
}

// both returns the bits that are in both.
func both(a, b []uint64) []uint64 {
	out := make([]uint64, len(a))
	for i := range a {
		out[i] = a[i] & b[i]
	}
	return out
}
