package window

import (
	"strconv"
	"strings"
)

// What an event has no value of is counted as well, so that reports have rows of None and filters
// such as "is not" hold for it. A row of None in each family would cost sparse sites half as much
// again; an event lacks several values at once, though, and most events lack the same ones. So each
// event that lacks something counts once, in the family Lacking, under the set of what it lacks;
// a reader of a family adds the points of the sets that hold its dimension, as None. That is exact,
// sketches included, and needs nothing of the family itself, so it holds for any order of events
// and any cut of chunks. PlaceLacking does it for a country's regions and cities, and GoalLacking
// for each goal.
//
// A custom property can have any key. The events that have some count in PropSets under the set of
// their keys; those that have none at all lack AnyProp.

// lackOrder are the dimensions that an event can be without: of all others facts knows a value or
// None. Bit i of a set of what is lacking is that of lackOrder[i]. The order is part of the format
// of the state store and the rollup store: add at the end, but for anyProp.
var lackOrder = [...]Dim{
	Source, Referrer, EntryPage, Channel, UTMSource, UTMMedium, UTMCampaign, UTMContent, UTMTerm, Region, City,
}

const (
	anyProp   = 1 << 11 // in a set: the event has no custom property
	lackSets  = 1 << 12
	lackMark  = "-"           // what the text of a set begins with, the rest is hexadecimal
	lackPlace = 1<<9 | 1<<10  // Region and City
	lackID    = uint16(20000) // of value.id: far above the known values
)

var lackable = setOf(lackOrder[:]...)

// lackValues are the texts of the sets.
var lackValues = func() (list [lackSets]value) {
	for i := range list {
		list[i] = literalOf(lackText(i))
		list[i].id = lackID + uint16(i)
	}
	return list
}()

func lackText(set int) string { return lackMark + strconv.FormatInt(int64(set), 16) }

// lack sets what a row lacks.
func (d *dims) lack(noProps bool) {
	m := uint32(lackable &^ d.set)
	// The bits of lackOrder: Source and Referrer, EntryPage, Channel to City.
	set := m>>Source&3 | m>>EntryPage&1<<2 | m>>Channel&0xff<<3
	if noProps {
		set |= anyProp
	}
	if set == d.lacking {
		return // as the row before, most often
	}
	d.lacking = set
	d.set &^= 1<<Lacks | 1<<LacksPlace
	if set != 0 {
		d.values[Lacks] = lackValues[set]
		d.set |= 1 << Lacks
	}
	if place := set & lackPlace; place != 0 {
		d.values[LacksPlace] = lackValues[place]
		d.set |= 1 << LacksPlace
	}
}

// MayLack reports whether there are events, or visits, without a value of the dimension.
func (d Dim) MayLack() bool { return lackable.has(d) || d == ExitPage || d == PropValue }

// LackingIn returns the families that count what is without a value in the last dimension of f,
// none if everything has one. Alone: the first of two dimensions does not matter.
func (f Family) LackingIn(alone bool) []Family {
	dims := f.Dims()
	switch {
	case f == Props:
		return []Family{Lacking, PropSets}
	case len(dims) == 0 || !dims[len(dims)-1].MayLack():
		return nil
	case len(dims) == 1 || alone:
		return []Family{Lacking}
	case dims[0] == Goal:
		return []Family{GoalLacking}
	}
	return []Family{PlaceLacking}
}

// NoneOf returns the values that a point of one of the families of f.LackingIn counts under in f,
// for Props with a key; the first of two is "" where it does not matter. It reports false if what
// the point counts has a value, and if it is past its family's budget.
func (f Family) NoneOf(p *Point, key string) (dims [2]string, ok bool) {
	own := f.Dims()
	last := len(own) - 1
	switch set := p.Dims[len(p.Family.Dims())-1]; {
	case set == Other:
		return dims, false
	case p.Family == PropSets:
		ok = !hasKey(set, key)
	default:
		ok = lacks(set, own[last])
	}
	switch {
	case f == Props:
		dims[0] = key
	case len(p.Family.Dims()) > 1:
		dims[0] = p.Dims[0]
	}
	dims[last] = None
	return dims, ok
}

// lacks reports whether the set with this text holds a dimension.
func lacks(text string, d Dim) bool {
	digits, ok := strings.CutPrefix(text, lackMark)
	set, err := strconv.ParseUint(digits, 16, 32)
	if !ok || err != nil {
		return false
	}
	switch d {
	case PropValue:
		return set&anyProp != 0
	case ExitPage:
		d = EntryPage // a visit without a page view has neither
	}
	for i, o := range lackOrder {
		if o == d {
			return set>>i&1 != 0
		}
	}
	return false
}

// LackSet returns the value of Lacks that rows with these dimensions count under, "" for none: what
// facts derives, and whether there are custom properties. It is for tests that count again.
func LackSet(dims *[NumDims]string, anyProps bool) string { return lackSet(dims, anyProps, lackSets-1) }

// LackPlaceSet does so for LacksPlace.
func LackPlaceSet(dims *[NumDims]string) string { return lackSet(dims, true, lackPlace) }

func lackSet(dims *[NumDims]string, anyProps bool, of int) string {
	set := 0
	for i, d := range lackOrder {
		if dims[d] == "" {
			set |= 1 << i
		}
	}
	if !anyProps {
		set |= anyProp
	}
	if set &= of; set == 0 {
		return ""
	}
	return lackText(set)
}

// The text of a set of keys is the keys in ascending order, joined by |; in a key ~ is ~0 and | is
// ~1.
const (
	keySep    = '|'
	keyEscape = '~'
)

func appendKey(b []byte, key string) []byte {
	if len(b) > 0 {
		b = append(b, keySep)
	}
	for i := 0; i < len(key); i++ {
		switch c := key[i]; c {
		case keyEscape:
			b = append(b, keyEscape, '0')
		case keySep:
			b = append(b, keyEscape, '1')
		default:
			b = append(b, c)
		}
	}
	return b
}

// hasKey reports whether a set of keys has one.
func hasKey(set, key string) bool {
	want := string(appendKey(nil, key))
	for set != "" {
		var k string
		if k, set, _ = strings.Cut(set, string(keySep)); k == want {
			return true
		}
	}
	return false
}

// PropSet returns the value of PropKeys for keys in ascending order, "" for none. A set too long
// for a value is not kept.
func PropSet(keys ...string) string {
	var b []byte
	for _, k := range keys {
		b = appendKey(b, k)
	}
	if len(b) > MaxValueLen {
		return Other
	}
	return string(b)
}

// lackOf sets what a row lacks and which custom properties it has.
func (a *Agg) lackOf(d *dims, props [][2]value) {
	a.keys = a.keys[:0]
	for i := range props {
		if k := props[i][0].s; k != "" && props[i][1].s != "" {
			a.keys = appendKey(a.keys, k)
		}
	}
	d.lack(len(a.keys) == 0)
	switch n := len(a.keys); {
	case n == 0:
		d.set &^= 1 << PropKeys
		return
	case n > MaxValueLen:
		d.values[PropKeys] = literalOf(Other)
	default:
		d.values[PropKeys] = literalOf(view(a.keys))
	}
	d.set |= 1 << PropKeys
}
