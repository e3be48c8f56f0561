package window

import (
	"hash/maphash"

	"millrace/engine/window/internal/known"
)

// value is a value of a dimension with its hash.
type value struct {
	s    string
	hash uint32
	// id separates a known value from the others without a look at its text. It is 0 if s is not
	// known to be one.
	id uint16
}

// noValue stands for the value of a dimension that a family has not.
var noValue = value{id: 1<<16 - 1}

// knownValues are those of package known, by number; the zero value where a number is free.
var knownValues = func() []value {
	list := make([]value, known.Len())
	for n := range list {
		if s := known.Value(n); s != "" {
			list[n] = value{s: s, hash: hashOf(s), id: uint16(n + 1)}
		}
	}
	return list
}()

func valueOf(s string) value {
	if s == "" {
		return noValue
	}
	if n := known.Number(s); n >= 0 {
		return knownValues[n]
	}
	return literalOf(s)
}

// literalOf is valueOf for a value that needs not be looked for among the known ones.
func literalOf(s string) value { return value{s: s, hash: hashOf(s)} }

// hashSeed differs from process to process, so that no visitor can choose values that collide.
// Nothing that can be seen depends on it: tables are read in the order in which values came.
var hashSeed = maphash.MakeSeed()

func hashOf(s string) uint32 { return uint32(maphash.String(hashSeed, s)) }
