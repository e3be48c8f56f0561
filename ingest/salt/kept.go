package salt

import (
	"maps"
	"slices"

	"millrace/engine/event"
	"millrace/ingest/identity"
)

// Kept are the salts that a file has, for who is no collector and hashes under one of them once more. It implements identity.Salts.
type Kept map[identity.Day]*identity.Salt

// Read reads a Keeper's file as it is now, which may be in use. One that is not there has no salts.
func Read(path string) (Kept, error) {
	keys, err := readFile(path)
	if err != nil {
		return nil, err
	}
	k := Kept{}
	for day, is := range keys {
		k[day] = identity.NewSalt(is[:])
	}
	return k, nil
}

// Salt implements identity.Salts.
func (k Kept) Salt(day identity.Day) *identity.Salt { return k[day] }

// Begun returns the dates that have begun anywhere by now and are in Window, in order: a file has salts of later ones, and one whose
// Keeper does not run of earlier ones.
func (k Kept) Begun(now event.Time) []identity.Day {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(k)), func(day identity.Day) bool { return day > dayOf(now+ahead) || !Window(now).Has(day) })
}

// Destroyed returns when the salt of a date is destroyed, wherever it is.
func Destroyed(day identity.Day) event.Time { return event.Time(day+1)*24*event.Hour + behind }
