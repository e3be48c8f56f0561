package commits

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"millrace/engine/wire"
)

// foldVersion is the version of folds that this code writes, and erasingFold that of one with erasures. Both are read.
const (
	foldVersion = 1
	erasingFold = 2
)

// foldObject is a State as it is stored.
type foldObject struct {
	Version     int          `json:"version"`
	State       *State       `json:"state"`
	Files       []*File      `json:"files"`
	Checkpoints []Checkpoint `json:"checkpoints"`
	Removed     []Removed    `json:"removed"`
	Erasures    []Erasure    `json:"erasures,omitempty"`
}

// encodeFold returns the object of a state, a function of it.
func encodeFold(s *State) []byte {
	o := foldObject{Version: foldVersion, State: s, Checkpoints: s.checkpoints, Removed: s.Removed(), Erasures: s.erasures}
	if len(s.erasures) > 0 {
		o.Version = erasingFold
	}
	for _, t := range Tables() {
		o.Files = append(o.Files, s.Files(t)...)
	}
	b, err := json.Marshal(o)
	if err != nil {
		panic("BUG: a fold can't be encoded: " + err.Error())
	}
	return b
}

// errFold is wrapped by the errors of decodeFold.
var errFold = errors.New("malformed fold")

// decodeFold reads what encodeFold writes.
func decodeFold(body []byte) (*State, error) {
	var o foldObject
	var v struct{ Version int }
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, fmt.Errorf("%w: %w", errFold, err)
	}
	if v.Version > erasingFold {
		return nil, wire.Newer(v.Version, foldVersion, erasingFold)
	}
	if err := json.Unmarshal(body, &o); err != nil {
		return nil, fmt.Errorf("%w: %w", errFold, err)
	}
	if v.Version < foldVersion || o.State == nil || o.State.Version < 0 || o.State.Offset < 0 {
		return nil, fmt.Errorf("%w: it lacks its state", errFold)
	}
	s := o.State
	s.files, s.removed, s.checkpoints = map[string]*File{}, map[string]Removed{}, o.Checkpoints
	for _, f := range o.Files {
		if f == nil {
			return nil, fmt.Errorf("%w: a file is missing", errFold)
		}
		if err := f.validate(); err != nil {
			return nil, fmt.Errorf("%w: %w", errFold, err)
		}
		s.files[f.Key] = f
	}
	for i := range s.checkpoints {
		if err := s.checkpoints[i].validate(); err != nil {
			return nil, fmt.Errorf("%w: %w", errFold, err)
		}
	}
	for _, r := range o.Removed {
		if s.files[r.Key] != nil {
			return nil, fmt.Errorf("%w: file %q is both live and removed", errFold, r.Key)
		}
		s.removed[r.Key] = r
	}
	for i := range o.Erasures {
		if err := o.Erasures[i].Validate(); err != nil {
			return nil, fmt.Errorf("%w: %w", errFold, err)
		}
	}
	slices.SortFunc(o.Erasures, compareErasures)
	s.erasures = o.Erasures
	return s, nil
}
