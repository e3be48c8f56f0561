package commits

import (
	"encoding/json"
	"fmt"

	"millrace/engine/event"
	"millrace/engine/wire"
)

// commitVersion is the version of Commit that this code writes, and erasingVersion that of one with erasures, or that says of files that
// they are clean: a release that knows of none would show what is erased. So it is of a recount, which is published as such. Both are read.
const (
	commitVersion  = 1
	erasingVersion = 2
)

// Topic is the topic of commits, with a partition for each of the topic of events.
const Topic = "millrace.commits"

// Kind is what a record of the topic is.
type Kind string

// The kinds.
const (
	Changes Kind = "change" // a Change
	Begins  Kind = "begin"  // an epoch begins, with what is published
	Marks   Kind = "mark"   // nothing: it never counts, and shows how far the log has been written
)

// Commit is a record of the topic. It counts if its Base is the last commit that counted.
type Commit struct {
	Version int  `json:"version"`
	Kind    Kind `json:"kind"`
	// Epoch counts how often the topic has begun anew, from 1.
	Epoch int64 `json:"epoch"`
	// Base is the offset of the commit that it follows, none if there is none.
	Base int64 `json:"base"`
	// Writer tells a commit from those that others write.
	Writer string `json:"writer"`
	// At is the wall-clock time of the writer: for people, and for the tables' logs.
	At     event.Time `json:"at"`
	Change Change     `json:"change,omitzero"`
	// Fold is what an epoch begins with, nil for nothing.
	Fold *FoldRef `json:"fold,omitempty"`
}

// FoldRef names the object of a fold.
type FoldRef struct {
	Key string `json:"key"`
	Sum string `json:"sum"` // State.Sum
}

// none is the offset before the first.
const none = -1

// Encode returns the record.
func (c *Commit) Encode() []byte {
	b, err := json.Marshal(c)
	if err != nil {
		panic("BUG: a commit can't be encoded: " + err.Error())
	}
	return b
}

// Decode reads a record. The error wraps ErrRecord, or wire.ErrNewer if a later release has written it.
func Decode(record []byte) (*Commit, error) {
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(record, &v); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	switch {
	case v.Version > erasingVersion:
		return nil, wire.Newer(v.Version, commitVersion, erasingVersion)
	case v.Version < commitVersion:
		return nil, fmt.Errorf("%w: unknown version %d", ErrRecord, v.Version)
	}
	c := &Commit{}
	if err := json.Unmarshal(record, c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	switch {
	case c.Kind != Changes && c.Kind != Begins && c.Kind != Marks:
		return nil, fmt.Errorf("%w: unknown kind %q", ErrRecord, c.Kind)
	case c.Epoch < 1 || c.Base < none:
		return nil, fmt.Errorf("%w: epoch %d, base %d", ErrRecord, c.Epoch, c.Base)
	}
	return c, nil
}
